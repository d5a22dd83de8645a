import { SkeinError, type Timer } from '../../../core/index.ts'
import { GroupGate, type ResolvedRetryPolicy, type StoredProgress } from '../../kit/index.ts'
import type { Connection } from './connection.ts'
import { type PartitionRecord, partitionRecord } from './group-records.ts'
import type { GroupStore } from './group-store.ts'
import type { NatsDelivery } from './nats-delivery.ts'
import { isConflict } from './nats-error.ts'
import type { PartitionFeed } from './partition-feed.ts'
import { persist } from './persist.ts'
import type { ReadSizes } from './read-loop.ts'

const LAZY_MS = 50

export interface OwnedBy {
  readonly id: string
  readonly group: string
  readonly generation: number
  readonly policy: ResolvedRetryPolicy
  /** What was stored from here on was surely not given before. */
  readonly freshFrom: number
}

/** One partition that this reader has: what is done of it, and its record, which nobody else writes meanwhile. */
export class GroupPartition extends GroupGate {
  readonly feed: PartitionFeed
  readonly generation: number
  isLost = false
  /** What the next read is told of, once: a dead letter that could not be stored. */
  news: SkeinError | undefined
  readonly #owner: OwnedBy
  readonly #connection: Connection
  readonly #store: GroupStore
  readonly #abort = new AbortController()
  readonly #onLost: () => void
  #sequence: number
  #revision = 0
  #saving: Promise<void> | undefined
  #next: Promise<void> | undefined
  #lazy: Timer | undefined

  constructor(
    feed: PartitionFeed,
    stored: { readonly progress: StoredProgress; readonly sequence: number },
    parts: {
      readonly owner: OwnedBy
      readonly connection: Connection
      readonly store: GroupStore
      readonly onLost: () => void
    },
  ) {
    super(stored.progress, parts.owner.policy)
    this.feed = feed
    this.#owner = parts.owner
    this.generation = parts.owner.generation
    this.#connection = parts.connection
    this.#store = parts.store
    this.#onLost = parts.onLost
    this.#sequence = stored.sequence
  }

  get partition(): number {
    return this.feed.partition
  }

  protected override get isHeldUp(): boolean {
    return super.isHeldUp || this.isLost
  }

  /** Nothing on the server, fetched, in hand or held. */
  get isCaughtUp(): boolean {
    return this.feed.isAtTail && !this.progress.hasWorkInHand && this.progress.held.size === 0
  }

  /** Fresh messages, each with its attempt. */
  takeFresh(sizes: ReadSizes): NatsDelivery[] {
    if (!this.canFetch) return []
    const { progress } = this
    const taken = this.feed.take(sizes, (delivery, count) => (this.isPlain ? 1 : this.decide(delivery, count)))
    progress.position = this.feed.position
    const [first, last] = [taken[0], taken.at(-1)]
    if (first === undefined || last === undefined) return taken
    const offsets = () => taken.map(({ offset }) => offset)
    this.noteGiven({ first: first.offset, last: last.offset, count: taken.length, offsets })
    for (const delivery of taken) delivery.generation = this.generation
    return taken
  }

  /** What is given must count before it is given, where it may have been given before. */
  async saveGiven(first: NatsDelivery): Promise<void> {
    if (first.offset < this.#owner.freshFrom) await this.save()
    else this.saveSoon()
  }

  async moveTo(offset: number): Promise<void> {
    this.restartAt(offset)
    await this.feed.moveTo(offset)
  }

  saveSoon(): void {
    this.#lazy ??= this.#connection.clock.setTimer(() => {
      this.#lazy = undefined
      this.save().catch(() => {})
    }, LAZY_MS)
  }

  /** Resolves when the state as of now is stored: whoever comes while a write is under way shares the next. */
  save(): Promise<void> {
    if (this.#next !== undefined) return this.#next
    if (this.#saving === undefined) return this.#saveNow()
    this.#next = this.#saving
      .catch(() => {})
      .then(() => {
        this.#next = undefined
        return this.#saveNow()
      })
    return this.#next
  }

  #saveNow(): Promise<void> {
    this.#saving = this.#write('abandoned', this.#owner.id).finally(() => {
      this.#saving = undefined
    })
    return this.#saving
  }

  async #write(how: 'abandoned' | 'released', owner: string | null): Promise<void> {
    if (this.isLost) throw this.lostError()
    const { group, id, generation } = this.#owner
    this.#revision += 1
    const progress = this.progress.save(how)
    const record: PartitionRecord = { owner, generation, revision: this.#revision, progress }
    const name = partitionRecord(this.partition)
    await persist(this.#connection, this.#abort.signal, async () => {
      try {
        this.#sequence = await this.#store.write({ group, record: name, after: this.#sequence }, record)
      } catch (error) {
        if (!isConflict(error)) throw error
        const found = await this.#store.read<PartitionRecord>(group, name)
        const isOurs = found.value?.revision === record.revision && found.value.generation === generation
        // A write whose answer was lost has been stored after all.
        if (isOurs && found.value.owner === owner) this.#sequence = found.sequence
        else if (found.value?.owner === id && found.value.generation === generation) this.#sequence = found.sequence
        else this.lose()
        if (this.isLost) throw this.lostError()
        if (!isOurs) throw error
      }
    })
  }

  lostError(): SkeinError {
    const topic = this.#store.topic.settings.name
    return new SkeinError(
      'revoked',
      `Cannot settle messages of partition ${this.partition} of "${topic}": group "${this.#owner.group}" gave it to ` +
        'another reader, or gave it anew; they will be delivered again',
      { details: { topic, group: this.#owner.group, partition: this.partition } },
    )
  }

  /** Somebody else has it. */
  lose(): void {
    if (this.isLost) return
    this.isLost = true
    this.#end()
    this.#onLost()
  }

  #end(): void {
    this.#lazy?.cancel()
    this.#abort.abort(this.lostError())
    this.feed.close()
    this.wakeIdle()
  }

  /**
   * Lets it go: what is in hand was given in vain, or is released untried. Without a connection the record stays as it was:
   * whoever comes next is given again what was settled since.
   */
  async letGo(how: 'abandoned' | 'released'): Promise<void> {
    if (this.isLost) return
    this.isStopping = true
    this.#lazy?.cancel()
    const stop = () => this.#abort.abort(this.lostError())
    const forget = this.#connection.listen({ onDisconnect: stop })
    if (!this.#connection.isConnected) stop()
    try {
      await this.#saving?.catch(() => {})
      await this.#next?.catch(() => {})
      await this.#write(how, null)
    } catch (error) {
      if (!(error instanceof SkeinError)) throw error
    } finally {
      forget()
    }
    if (this.isLost) return
    this.isLost = true
    this.#end()
  }
}
