import { SkeinError, type Timer, uuidV7 } from '../../../../core/index.ts'
import type { Cluster } from '../cluster.ts'
import { isRetriable, KAFKA, kafkaCode, skeinError } from '../kafka-error.ts'
import type { Committer } from './group-offsets.ts'

const JOIN_EPOCH = 0
const LEAVE_EPOCH = -1
/** Beside the time that a revocation waits for work in hand. */
const REBALANCE_SPARE_MS = 30_000
const DEFAULT_HEARTBEAT_MS = 3_000

export interface MembershipParts {
  readonly cluster: Cluster
  readonly groupId: string
  readonly topic: { readonly name: string; readonly id: string }
  readonly revocationWaitMs: number
  readonly heartbeatIntervalMs: number | undefined
  /** The broker gives these away; resolves when they are let go and their places committed. */
  readonly revoke: (partitions: readonly number[]) => Promise<void>
  /** Resolves when they are being read. */
  readonly assign: (partitions: readonly number[]) => Promise<void>
  /** They are somebody else's already. */
  readonly lose: (partitions: readonly number[]) => void
  /** The group cannot go on. */
  readonly fail: (error: Error) => void
}

/**
 * Membership of a consumer group by the protocol of Kafka 4 (KIP-848): the broker assigns, and the member reports what it
 * owns. It lets a partition go only after its work in hand is done, within the bound, and nobody else is given it before.
 */
export class Membership {
  readonly #parts: MembershipParts
  readonly #memberId: string
  readonly #stop = new AbortController()
  #epoch = JOIN_EPOCH
  #owned = new Set<number>()
  #target: readonly number[] = []
  #intervalMs: number
  #timer: Timer | undefined
  #beating: Promise<void> | undefined
  #isChanging = false
  #tries = 0
  #onBeat: Array<() => void> = []

  constructor(parts: MembershipParts) {
    this.#parts = parts
    this.#memberId = uuidV7(parts.cluster.clock, parts.cluster.random)
    this.#intervalMs = parts.heartbeatIntervalMs ?? DEFAULT_HEARTBEAT_MS
  }

  get committer(): Committer {
    return { groupId: this.#parts.groupId, memberId: this.#memberId, epoch: this.#epoch }
  }

  get #isStopped(): boolean {
    return this.#stop.signal.aborted
  }

  join(): void {
    this.beat()
  }

  /** Reports now. Resolves after the next report was answered, however it was. */
  beat(): Promise<void> {
    if (this.#isStopped) return Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#onBeat.push(resolve)
    this.#timer?.cancel()
    if (this.#beating === undefined) this.#startBeat()
    return promise
  }

  #startBeat(): void {
    const waiting = this.#onBeat
    this.#onBeat = []
    this.#beating = this.#beatOnce().finally(() => {
      this.#beating = undefined
      for (const resolve of waiting) resolve()
      if (this.#isStopped) return
      if (this.#onBeat.length > 0) this.#startBeat()
      else this.#schedule(this.#intervalMs)
    })
  }

  #schedule(delayMs: number): void {
    this.#timer?.cancel()
    this.#timer = this.#parts.cluster.clock.setTimer(() => void this.beat(), delayMs)
  }

  async #beatOnce(): Promise<void> {
    try {
      const answer = await this.#report(this.#epoch, [...this.#owned])
      this.#tries = 0
      this.#epoch = answer.memberEpoch
      this.#intervalMs = this.#parts.heartbeatIntervalMs ?? answer.heartbeatIntervalMs
      if (answer.assignment !== null) this.#target = this.#partitionsOf(answer.assignment.topicPartitions)
      this.#reconcile()
    } catch (error) {
      if (!this.#isStopped) await this.#failed(error)
    }
  }

  #partitionsOf(
    assigned: ReadonlyArray<{ readonly topicId: string; readonly partitions: readonly number[] }>,
  ): readonly number[] {
    return assigned.find(({ topicId }) => topicId === this.#parts.topic.id)?.partitions ?? []
  }

  #report(epoch: number, owned: readonly number[]) {
    const { cluster, groupId, topic, revocationWaitMs } = this.#parts
    const { consumerGroupHeartbeatV1 } = cluster.kafka
    const partitions = owned.length === 0 ? [] : [{ topicId: topic.id, partitions: [...owned] }]
    return cluster.askCoordinatorOnce({ kind: 'group', key: groupId }, (connection) =>
      consumerGroupHeartbeatV1.api.async(
        connection,
        groupId,
        this.#memberId,
        epoch,
        null,
        cluster.rack ?? null,
        revocationWaitMs + REBALANCE_SPARE_MS,
        [topic.name],
        null,
        null,
        partitions,
      ),
    )
  }

  async #failed(error: unknown): Promise<void> {
    const { cluster, groupId, fail } = this.#parts
    const code = kafkaCode(error)
    if (code === KAFKA.UNKNOWN_MEMBER_ID || code === KAFKA.FENCED_MEMBER_EPOCH) {
      // The broker has given everything to others: begin anew.
      this.#loseAll()
      this.#onBeat.push(() => {})
      return
    }
    cluster.noteFailure(error)
    if (!isRetriable(error)) return fail(membershipError(error, groupId))
    this.#tries += 1
    await cluster.backOff(this.#tries, this.#stop.signal).catch(() => {})
    this.#onBeat.push(() => {})
  }

  #loseAll(): void {
    const lost = [...this.#owned]
    this.#owned = new Set()
    this.#target = []
    this.#epoch = JOIN_EPOCH
    if (lost.length > 0) this.#parts.lose(lost)
  }

  /** What is owned follows what the broker wants, one change at a time; reports go on meanwhile. */
  #reconcile(): void {
    if (this.#isChanging || this.#isStopped) return
    const revoked = [...this.#owned].filter((partition) => !this.#target.includes(partition))
    const added = this.#target.filter((partition) => !this.#owned.has(partition))
    if (revoked.length === 0 && added.length === 0) return
    this.#isChanging = true
    const change = revoked.length > 0 ? this.#revoke(revoked) : this.#assign(added)
    change
      .catch((error: unknown) => {
        if (!this.#isStopped) this.#parts.fail(membershipError(error, this.#parts.groupId))
      })
      .finally(() => {
        this.#isChanging = false
        // The broker is told at once: others wait for what was let go.
        void this.beat()
      })
  }

  async #revoke(partitions: readonly number[]): Promise<void> {
    await this.#parts.revoke(partitions)
    for (const partition of partitions) this.#owned.delete(partition)
  }

  async #assign(partitions: readonly number[]): Promise<void> {
    const epoch = this.#epoch
    for (const partition of partitions) this.#owned.add(partition)
    await this.#parts.assign(partitions)
    // Fenced meanwhile: what was just taken is somebody else's.
    if (this.#epoch < epoch && this.#owned.size === 0) this.#parts.lose(partitions)
  }

  /** Tells the broker, so that the others need not wait for a silence. */
  async leave(): Promise<void> {
    if (this.#isStopped) return
    this.#stop.abort()
    this.#timer?.cancel()
    await this.#beating
    for (const resolve of this.#onBeat.splice(0)) resolve()
    if (this.#epoch <= JOIN_EPOCH) return
    await this.#report(LEAVE_EPOCH, []).catch(() => {
      // A broker that is gone notices the silence.
    })
  }

  /** As if the process had died: the broker is told nothing. */
  vanish(): void {
    this.#stop.abort()
    this.#timer?.cancel()
  }
}

function membershipError(error: unknown, groupId: string): SkeinError {
  if (kafkaCode(error) === KAFKA.INCONSISTENT_GROUP_PROTOCOL) {
    return new SkeinError(
      'bad-argument',
      `Cannot join group "${groupId}": readers of another client are in it, by the older protocol; use another group`,
      { cause: error, details: { groupId } },
    )
  }
  if (kafkaCode(error) === KAFKA.UNSUPPORTED_VERSION) {
    return new SkeinError(
      'unsupported',
      `Cannot join group "${groupId}": the brokers do not take its protocol (KIP-848), which Kafka has from 4.0 on; ` +
        'upgrade them, or allow it (group.coordinator.rebalance.protocols, feature group.version)',
      { cause: error, details: { groupId } },
    )
  }
  return skeinError(error, `read as group "${groupId}"`)
}
