import {
  type Bus,
  type Delivery,
  type Position,
  partitionsRead,
  type Reader,
  type StartPosition,
} from '../../bus/index.ts'
import { type Clock, ClosedError, type KeysOf, SkeinError } from '../../core/index.ts'
import type { ObjectStore } from '../../objects/index.ts'
import { Inbound } from '../consume/inbound.ts'
import type { ReceivedMessage } from '../consume/received-message.ts'
import type { PublishReceipt } from '../publish/publish-receipt.ts'
import type { AnyChannel } from '../topics-of.ts'
import { FoldedPlaces } from './folded-places.ts'
import { type ViewSnapshot, ViewSnapshots } from './view-snapshots.ts'

/** How long a quiet topic is waited for before it is asked whether anything is left. */
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
  readonly #places = new Map<string, FoldedPlaces>()
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
    await this.#begin(new Set(channels.map((channel) => channel.topic)))
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

  /** From the newest snapshot, if the log still is the one that it was folded from. */
  async #begin(topics: ReadonlySet<string>): Promise<void> {
    const snapshot = await this.#snapshots?.load()
    if (snapshot === undefined) return
    const isBehind = await Promise.all([...topics].map((topic) => this.#isBehindEnd(topic, snapshot)))
    if (!isBehind.includes(true)) return this.#restore(snapshot)
    this.#dependencies.onError(otherLog(this.#options.name))
    // Once the log is longer again nothing would tell them from snapshots of this one.
    await this.#snapshots?.deleteAll()
  }

  async #isBehindEnd(topic: string, { positions }: ViewSnapshot): Promise<boolean> {
    const folded = positions.get(topic)
    if (folded === undefined) return false
    const { partitions } = await this.#dependencies.bus.admin.describeTopic(topic)
    return partitions.some(({ partition, end }) => (folded.get(partition) ?? -1) >= end.sequence)
  }

  async #startOf(topic: string): Promise<StartPosition> {
    const places = this.#places.get(topic)
    if (places === undefined) return 'earliest'
    const { partitions } = await this.#dependencies.bus.admin.describeTopic(topic)
    return partitions.map(({ start }) => places.startOf(start))
  }

  async #run(
    topic: string,
    source: { readonly reader: Reader; readonly channels: readonly AnyChannel[] },
  ): Promise<void> {
    const { clock, objects } = this.#dependencies
    const inbound = new Inbound<T>({ channels: source.channels, clock, objects, isFiltered: false })
    const places = this.#placesOf(topic)
    places.chunks = inbound.chunks
    const { signal } = this.#stop
    try {
      while (!signal.aborted) {
        const ends = this.#isWaitedFor(topic) ? await source.reader.end() : undefined
        const batch = await source.reader.read({ waitMs: QUIET_MS, signal })
        if (batch !== null) {
          this.#giveUpUnfinished(inbound, batch.partition)
          for (const delivery of batch.deliveries) if (places.isFresh(delivery)) await this.#fold(inbound, delivery)
          this.#advance(topic, batch.last)
        } else if (ends !== undefined) await this.#passHoles(topic, { reader: source.reader, ends })
        this.#saveIfDue()
      }
    } catch (error) {
      if (signal.aborted) return
      this.#dependencies.onError(error)
      this.#fail(error)
    }
  }

  async #fold(inbound: Inbound<T>, delivery: Delivery): Promise<void> {
    try {
      const opened = inbound.open(delivery)
      const message = opened instanceof Promise ? await opened : opened
      if (message === undefined) return
      this.#state = this.#options.fold(this.#state, message)
      this.#folded += 1
    } catch (error) {
      this.#dependencies.onError(error)
    } finally {
      const set = inbound.setOf(delivery)
      if (set !== undefined) inbound.chunks.finish(set)
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

  /** Where everything was given, what lies below the end as it was before is expired, compacted or folded in. */
  async #passHoles(
    topic: string,
    { reader, ends }: { readonly reader: Reader; readonly ends: readonly Position[] },
  ): Promise<void> {
    const read = await partitionsRead(reader)
    for (const { partition, sequence } of ends) {
      if (read.includes(partition)) this.#advance(topic, { partition, sequence: sequence - 1 })
    }
  }

  #advance(topic: string, through: Position): void {
    this.#placesOf(topic).advance(through)
    for (const waiter of this.#waiters) {
      if (waiter.topic !== topic || !this.#hasReached(waiter)) continue
      this.#waiters.delete(waiter)
      waiter.resolve()
    }
  }

  #placesOf(topic: string): FoldedPlaces {
    const known = this.#places.get(topic) ?? new FoldedPlaces()
    this.#places.set(topic, known)
    return known
  }

  #hasReached({ topic, positions }: Pick<Waiter, 'topic' | 'positions'>): boolean {
    return this.#placesOf(topic).hasAll(positions)
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
    for (const [topic, through] of snapshot.positions) {
      this.#places.set(topic, new FoldedPlaces(through, snapshot.unfinished.get(topic)))
    }
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
    const places = [...this.#places]
    const positions = new Map(places.map(([topic, of]) => [topic, of.through()]))
    const unfinished = new Map(places.map(([topic, of]) => [topic, of.unfinished()]))
    try {
      await this.#snapshots.save({ folded, positions, unfinished, state: JSON.stringify(this.#state) })
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

function otherLog(name: string): SkeinError {
  return new SkeinError(
    'position-gone',
    `Cannot go on from the snapshots of the view ${name}: they lie behind the end of its topic, which was made anew or has ` +
      'lost its end; it is folded from the beginning',
    { details: { view: name } },
  )
}
