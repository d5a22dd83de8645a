import { SkeinError } from '../../../core/index.ts'
import type { Assignment, GroupReaderOptions } from '../../index.ts'
import type { ResolvedRetryPolicy, StoredProgress } from '../../kit/index.ts'
import type { Connection } from './connection.ts'
import { GroupMembership } from './group-membership.ts'
import { GroupPartition } from './group-partition.ts'
import { type MembersRecord, type PartitionRecord, partitionRecord } from './group-records.ts'
import type { GroupStore } from './group-store.ts'
import { isConflict } from './nats-error.ts'
import { PartitionFeed } from './partition-feed.ts'
import { startSequence, streamEnds } from './start-sequence.ts'

const REVOCATION_WAIT_MS = 5_000
const BUFFER_BYTES_MAX = 4 * 1024 * 1024

export interface GroupAssignmentParts {
  readonly options: GroupReaderOptions
  readonly policy: ResolvedRetryPolicy
  readonly connection: Connection
  readonly store: GroupStore
  /** Aborted when the reader closes. */
  readonly signal: AbortSignal
  readonly onNews: () => void
  readonly onFailed: (error: Error) => void
}

/** Which partitions a reader of a group has now: takes those that are to be its own, lets go of the others. */
export class GroupAssignment {
  readonly owned = new Map<number, GroupPartition>()
  /** Rejects with what made joining impossible. */
  readonly joined: Promise<void>
  listener: ((change: Assignment) => Promise<void> | void) | undefined
  readonly #parts: GroupAssignmentParts
  readonly #membership: GroupMembership
  readonly #revoking = new Map<number, Promise<void>>()

  constructor(parts: GroupAssignmentParts) {
    this.#parts = parts
    const { options, connection, store } = parts
    this.#membership = new GroupMembership(connection, store, {
      group: options.group,
      filter: JSON.stringify([...(options.subjects ?? ['>'])].sort()),
      onChange: (record) => this.#apply(record),
      onFailed: parts.onFailed,
    })
    this.joined = this.#membership.join()
    this.joined.catch(parts.onFailed)
  }

  async #apply(record: MembersRecord): Promise<void> {
    const { id } = this.#membership
    const lost = [...this.owned.values()].filter(
      (partition) => record.targets[partition.partition] !== id && !this.#revoking.has(partition.partition),
    )
    if (lost.length > 0) this.#revoke(lost)
    const gained: number[] = []
    for (const [partition, target] of record.targets.entries()) {
      if (target !== id || this.owned.has(partition)) continue
      if (await this.#claim(partition, record)) gained.push(partition)
    }
    if (gained.length === 0) return
    this.#parts.onNews()
    // News only: an application that fails on them is not asked to go on.
    this.#tell({ generation: record.generation, added: gained, removed: [] }).catch(() => {})
  }

  async #tell(change: Assignment): Promise<void> {
    await this.listener?.(change)
  }

  /** False while another reader that lives has it still, or somebody was faster. */
  async #claim(partition: number, record: MembersRecord): Promise<boolean> {
    const { options, store, connection, policy } = this.#parts
    const name = partitionRecord(partition)
    const stored = await store.read<PartitionRecord>(options.group, name)
    const { id } = this.#membership
    const owner = stored.value?.owner ?? null
    // Who has it knows of a later state of the group than this one has seen.
    if ((stored.value?.generation ?? 0) > record.generation) return false
    if (owner !== null && owner !== id && record.members.some((member) => member.id === owner)) return false
    const progress = stored.value?.progress ?? (await this.#newProgress(partition))
    const claim: PartitionRecord = { owner: id, generation: record.generation, revision: 0, progress }
    let sequence: number
    try {
      sequence = await store.write({ group: options.group, record: name, after: stored.sequence }, claim)
    } catch (error) {
      if (isConflict(error)) return false
      throw error
    }
    const { end } = await streamEnds(connection, store.topic.names.stream(partition))
    if (this.#parts.signal.aborted) return false
    const owned = new GroupPartition(
      this.#feed(partition),
      { progress, sequence },
      {
        owner: { id, group: options.group, generation: record.generation, policy, freshFrom: end - 1 },
        connection,
        store,
        onLost: () => this.#lost(partition),
      },
    )
    this.owned.set(partition, owned)
    await owned.feed.moveTo(owned.progress.position)
    return true
  }

  /** Where a group without a place begins. */
  async #newProgress(partition: number): Promise<StoredProgress> {
    const { options, store, connection } = this.#parts
    const start = options.from ?? 'earliest'
    const at = { topic: store.topic, partition, start }
    const sequence =
      (await startSequence(connection, at)) ?? (await startSequence(connection, { ...at, start: 'earliest' }))!
    const offset = sequence - 1
    return { settled: offset, delivered: offset, held: [], attempts: [] }
  }

  #feed(partition: number): PartitionFeed {
    const { options, store, connection, onNews } = this.#parts
    return new PartitionFeed(store.topic, connection, {
      partition,
      subjects: options.subjects,
      group: options.group,
      bufferBytesMax: Math.ceil((options.bufferBytesMax ?? BUFFER_BYTES_MAX) / store.topic.settings.partitions),
      onChange: onNews,
    })
  }

  #lost(partition: number): void {
    this.owned.delete(partition)
    this.#parts.onNews()
  }

  /** Waits, within the reader's bound, for the application and for what it has in hand. */
  #revoke(lost: readonly GroupPartition[]): void {
    const revoked = this.#revokeAll(lost).finally(() => {
      for (const { partition } of lost) this.#revoking.delete(partition)
    })
    for (const { partition } of lost) this.#revoking.set(partition, revoked)
    revoked.catch(this.#parts.onFailed)
  }

  async #revokeAll(lost: readonly GroupPartition[]): Promise<void> {
    const { connection, options } = this.#parts
    for (const partition of lost) partition.isStopping = true
    const removed = lost.map(({ partition }) => partition)
    const told = this.#tell({ generation: lost[0]!.generation, added: [], removed })
    const finished = Promise.allSettled([told, ...lost.map((partition) => partition.whenIdle())])
    const stopWaiting = new AbortController()
    const waitMs = options.revocationWaitMs ?? REVOCATION_WAIT_MS
    const bound = connection.clock.sleep(waitMs, { signal: stopWaiting.signal }).catch(() => {})
    await Promise.race([finished, bound])
    stopWaiting.abort()
    await Promise.all(lost.map((partition) => this.#letGo(partition, 'abandoned')))
    if (connection.isConnected) await this.#membership.notifyAll().catch(() => {})
    await this.#membership.look()
  }

  async #letGo(partition: GroupPartition, how: 'abandoned' | 'released'): Promise<void> {
    await partition.letGo(how)
    if (this.owned.get(partition.partition) === partition) this.owned.delete(partition.partition)
  }

  revokedError(partition: number): SkeinError {
    const { options, store } = this.#parts
    const topic = store.topic.settings.name
    return new SkeinError(
      'revoked',
      `Cannot settle messages of partition ${partition} of "${topic}": group "${options.group}" gave it to another reader, ` +
        'or gave it anew; they will be delivered again',
      { details: { topic, group: options.group, partition } },
    )
  }

  /** Stores where it stands, then gives up its place. */
  async leave(how: 'abandoned' | 'released'): Promise<void> {
    await Promise.all([...this.owned.values()].map((partition) => this.#letGo(partition, how)))
    await this.#membership.leave()
  }
}
