import type { Bus, Position, Reader, StartPosition } from '../../bus/index.ts'
import { type Clock, ClosedError, type KeysOf, SkeinError } from '../../core/index.ts'
import type { ObjectStore } from '../../objects/index.ts'
import { Inbound } from '../consume/inbound.ts'
import type { ReceivedMessage } from '../consume/received-message.ts'
import type { PublishReceipt } from '../publish/publish-receipt.ts'
import type { AnyChannel } from '../topics-of.ts'
import { type ViewSnapshot, ViewSnapshots } from './view-snapshots.ts'

/** How long a quiet topic is waited for before its end counts as reached. */
const QUIET_MS = 50
const SNAPSHOT_EVERY_MESSAGES = 10_000

export interface ViewOptions<S, T> {
  /** Names its snapshots; one object level. */
  readonly name: string
  readonly initial: () => S
  /** Pure and synchronous: the state after this message. A throw keeps the state before it, and is reported. */
  readonly fold: (state: S, message: ReceivedMessage<T>) => S
  /** Raise it with the fold: snapshots of another version are not used. Default 1. */
  readonly version?: number
  /** Messages between snapshots; 0 = none. Default 10,000. The state must be JSON. */
  readonly snapshotEveryMessages?: number
}

export const VIEW_KEYS: KeysOf<ViewOptions<unknown, unknown>> = {
  name: true,
  initial: true,
  fold: true,
  version: true,
  snapshotEveryMessages: true,
}

export interface ViewDependencies {
  readonly bus: Bus
  readonly clock: Clock
  readonly objects: ObjectStore | undefined
  readonly principal: string | undefined
  readonly onError: (error: unknown) => void
}

export interface WaitOptions {
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

interface Waiter {
  readonly topic: string
  readonly positions: readonly Position[]
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
}

/** A state folded from the messages of some channels, from the first one or from the newest snapshot. */
export class View<S, T> {
  readonly #options: ViewOptions<S, T>
  readonly #dependencies: ViewDependencies
  readonly #snapshots: ViewSnapshots | undefined
  readonly #stop = new AbortController()
  readonly #positions = new Map<string, Map<number, number>>()
  readonly #waiters = new Set<Waiter>()
  readonly #loops: Array<Promise<void>> = []
  readonly #readers = new Map<string, Reader>()
  #state: S
  #folded = 0
  #saved = 0
  #saving: Promise<void> | undefined
  #failure: unknown

  constructor(options: ViewOptions<S, T>, dependencies: ViewDependencies) {
    this.#options = options
    this.#dependencies = dependencies
    this.#state = options.initial()
    const { objects, onError } = dependencies
    const isKept = objects !== undefined && options.snapshotEveryMessages !== 0
    this.#snapshots = isKept
      ? new ViewSnapshots({ objects, name: options.name, version: options.version ?? 1, onError })
      : undefined
  }

  /** Starts folding the channels, whose topics are open. */
  async start(channels: readonly AnyChannel[]): Promise<this> {
    const snapshot = await this.#snapshots?.load()
    if (snapshot !== undefined) this.#restore(snapshot)
    for (const [topic, sharers] of Map.groupBy(channels, (channel) => channel.topic)) {
      const reader = this.#dependencies.bus.reader(topic, {
        mode: 'broadcast',
        from: await this.#startOf(topic),
        overflow: 'wait',
        ...(this.#dependencies.principal === undefined ? {} : { principal: this.#dependencies.principal }),
      })
      this.#readers.set(topic, reader)
      this.#loops.push(this.#run(topic, { reader, channels: sharers }))
    }
    return this
  }

  /** As of the last message folded in. Do not change it. */
  get state(): S {
    return this.#state
  }

  /** Messages folded in since the view first began, over restarts with snapshots. */
  get folded(): number {
    return this.#folded
  }

  /** Resolves when everything that is stored now is folded in. */
  async ready(options: WaitOptions = {}): Promise<void> {
    for (const [topic, reader] of this.#readers) {
      const ends = await reader.end()
      const positions = ends.map(({ partition, sequence }) => ({ partition, sequence: sequence - 1 }))
      await this.#reached({ topic, positions }, options)
    }
  }

  /** Resolves when what this receipt stands for is folded in: read your own writes. Rejects with `timeout`, `closed`. */
  reached(receipt: PublishReceipt, options: WaitOptions = {}): Promise<void> {
    return this.#reached(receipt, options)
  }

  /** Saves a snapshot and stops. Idempotent. */
  async close(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#loops)
    this.#fail(new ClosedError(`the view ${this.#options.name}`))
    await this.#save()
    await Promise.all([...this.#readers.values()].map((reader) => reader.close()))
  }

  async #startOf(topic: string): Promise<StartPosition> {
    const folded = this.#positions.get(topic)
    if (folded === undefined) return 'earliest'
    const { partitions } = await this.#dependencies.bus.admin.describeTopic(topic)
    return partitions.map(({ partition, start }) => {
      const last = folded.get(partition)
      return last === undefined ? start : { partition, sequence: last + 1 }
    })
  }

  async #run(
    topic: string,
    source: { readonly reader: Reader; readonly channels: readonly AnyChannel[] },
  ): Promise<void> {
    const { clock, objects } = this.#dependencies
    const inbound = new Inbound<T>({ channels: source.channels, clock, objects, isFiltered: false })
    const { signal } = this.#stop
    try {
      while (!signal.aborted) {
        const ends = this.#isWaitedFor(topic) ? await source.reader.end() : undefined
        const batch = await source.reader.read({ waitMs: QUIET_MS, signal })
        if (batch === null) this.#passQuietly(topic, ends ?? [])
        else this.#giveUpUnfinished(inbound, batch.partition)
        for (const delivery of batch?.deliveries ?? []) await this.#fold(inbound, delivery)
        if (batch !== null) this.#advance(topic, batch.last)
        this.#saveIfDue()
      }
    } catch (error) {
      if (signal.aborted) return
      this.#dependencies.onError(error)
      this.#fail(error)
    }
  }

  async #fold(inbound: Inbound<T>, delivery: Parameters<Inbound<T>['open']>[0]): Promise<void> {
    try {
      const opened = inbound.open(delivery)
      const message = opened instanceof Promise ? await opened : opened
      const set = inbound.setOf(delivery)
      if (set !== undefined) inbound.chunks.finish(set)
      if (message === undefined) return
      this.#state = this.#options.fold(this.#state, message)
      this.#folded += 1
    } catch (error) {
      this.#dependencies.onError(error)
    }
  }

  #giveUpUnfinished(inbound: Inbound<T>, partition: number): void {
    if (inbound.chunks.isEmpty) return
    for (const { error } of inbound.chunks.takeDropped(partition)) this.#dependencies.onError(error)
  }

  #isWaitedFor(topic: string): boolean {
    for (const waiter of this.#waiters) if (waiter.topic === topic) return true
    return false
  }

  /** Nothing came although the ends were asked before: what lies below them is expired, compacted or folded in. */
  #passQuietly(topic: string, ends: readonly Position[]): void {
    for (const { partition, sequence } of ends) this.#advance(topic, { partition, sequence: sequence - 1 })
  }

  #advance(topic: string, through: Position): void {
    const partitions = this.#partitionsOf(topic)
    if ((partitions.get(through.partition) ?? -1) < through.sequence)
      partitions.set(through.partition, through.sequence)
    for (const waiter of this.#waiters) {
      if (waiter.topic !== topic || !this.#hasReached(waiter)) continue
      this.#waiters.delete(waiter)
      waiter.resolve()
    }
  }

  #partitionsOf(topic: string): Map<number, number> {
    const known = this.#positions.get(topic) ?? new Map<number, number>()
    this.#positions.set(topic, known)
    return known
  }

  #hasReached({ topic, positions }: Pick<Waiter, 'topic' | 'positions'>): boolean {
    const folded = this.#positions.get(topic)
    return positions.every(({ partition, sequence }) => sequence < 0 || (folded?.get(partition) ?? -1) >= sequence)
  }

  async #reached(target: Pick<Waiter, 'topic' | 'positions'>, options: WaitOptions): Promise<void> {
    if (!this.#readers.has(target.topic)) throw notInView(this.#options.name, target.topic)
    if (this.#failure !== undefined) throw this.#failure
    if (this.#hasReached(target)) return
    options.signal?.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waiter: Waiter = { topic: target.topic, positions: target.positions, resolve, reject }
    this.#waiters.add(waiter)
    const onAbort = () => reject(options.signal?.reason)
    options.signal?.addEventListener('abort', onAbort, { once: true })
    const { timeoutMs } = options
    const timer =
      timeoutMs === undefined
        ? undefined
        : this.#dependencies.clock.setTimer(() => reject(tooLate(this.#options.name, timeoutMs)), timeoutMs, {
            keepAlive: true,
          })
    try {
      await promise
    } finally {
      this.#waiters.delete(waiter)
      timer?.cancel()
      options.signal?.removeEventListener('abort', onAbort)
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= error
    for (const waiter of this.#waiters) waiter.reject(error)
    this.#waiters.clear()
  }

  #restore(snapshot: ViewSnapshot): void {
    this.#state = JSON.parse(snapshot.state) as S
    this.#folded = snapshot.folded
    this.#saved = snapshot.folded
    for (const [topic, partitions] of snapshot.positions) this.#positions.set(topic, new Map(partitions))
  }

  #saveIfDue(): void {
    const every = this.#options.snapshotEveryMessages ?? SNAPSHOT_EVERY_MESSAGES
    if (this.#snapshots === undefined || this.#saving !== undefined || this.#folded - this.#saved < every) return
    this.#saving = this.#save().finally(() => {
      this.#saving = undefined
    })
  }

  /** A snapshot that cannot be saved costs only time at the next start: it is reported, and folding goes on. */
  async #save(): Promise<void> {
    if (this.#snapshots === undefined || this.#folded === this.#saved) return
    const folded = this.#folded
    const positions = new Map([...this.#positions].map(([topic, partitions]) => [topic, new Map(partitions)]))
    try {
      await this.#snapshots.save({ folded, positions, state: JSON.stringify(this.#state) })
      this.#saved = folded
    } catch (error) {
      this.#dependencies.onError(error)
    }
  }
}

function notInView(name: string, topic: string): SkeinError {
  return new SkeinError('bad-argument', `Cannot wait for ${topic} in the view ${name}: it does not fold that topic`)
}

function tooLate(name: string, timeoutMs: number): SkeinError {
  return new SkeinError(
    'timeout',
    `Cannot read the view ${name} up to there: it was not folded in within ${timeoutMs} ms`,
  )
}
