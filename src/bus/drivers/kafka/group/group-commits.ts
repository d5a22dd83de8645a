import { ClosedError, SkeinError, type Timer } from '../../../../core/index.ts'
import type { StoredProgress } from '../../../kit/index.ts'
import type { Cluster } from '../cluster.ts'
import { isRetriable, KAFKA, kafkaCode, skeinError } from '../kafka-error.ts'
import { commitProgress } from './group-offsets.ts'
import type { Membership } from './membership.ts'
import { packProgress } from './progress-metadata.ts'

const LAZY_MS = 50
/** The member's epoch is not, or no longer, the group's. */
const FENCED: ReadonlySet<number> = new Set([22, KAFKA.UNKNOWN_MEMBER_ID, KAFKA.FENCED_MEMBER_EPOCH])

export interface GroupCommitsParts {
  readonly cluster: Cluster
  readonly topic: string
  readonly group: string
  readonly membership: Membership
}

interface Waiter {
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Commits where a member stands: one request at a time for all its partitions, the latest then. */
export class GroupCommits {
  readonly #parts: GroupCommitsParts
  #dirty = new Map<number, () => StoredProgress | undefined>()
  #waiters: Waiter[] = []
  #timer: Timer | undefined
  #committing: Promise<void> | undefined
  readonly #last = new Map<number, string>()
  #closed = false

  constructor(parts: GroupCommitsParts) {
    this.#parts = parts
  }

  /** Will be committed soon; the source gives the latest when its turn comes, or undefined when it is not to be. */
  touch(partition: number, source: () => StoredProgress | undefined): void {
    if (this.#closed) return
    this.#dirty.set(partition, source)
    if (this.#committing !== undefined || this.#timer !== undefined) return
    this.#timer = this.#parts.cluster.clock.setTimer(() => this.#start(), LAZY_MS)
  }

  /** Resolves when everything touched before the call is committed; rejects with `revoked` when others have the place now. */
  flush(): Promise<void> {
    if (this.#closed) return Promise.reject(new ClosedError('the reader'))
    if (this.#dirty.size === 0) return this.#committing ?? Promise.resolve()
    const committed = new Promise<void>((resolve, reject) => this.#waiters.push({ resolve, reject }))
    if (this.#committing === undefined) this.#start()
    return committed
  }

  /** A new assignment: what was committed under an older one may have been changed by others since. */
  forget(partition: number): void {
    this.#last.delete(partition)
  }

  #start(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#committing ??= this.#commitAll().finally(() => {
      this.#committing = undefined
      if (this.#closed) return
      if (this.#waiters.length > 0) this.#start()
      else if (this.#dirty.size > 0) this.#timer = this.#parts.cluster.clock.setTimer(() => this.#start(), LAZY_MS)
    })
  }

  async #commitAll(): Promise<void> {
    // Lets everything of this turn join.
    await Promise.resolve()
    const dirty = this.#dirty
    const waiters = this.#waiters
    this.#dirty = new Map()
    this.#waiters = []
    try {
      await this.#commit(dirty)
      for (const waiter of waiters) waiter.resolve()
    } catch (error) {
      for (const [partition, source] of dirty) if (!this.#dirty.has(partition)) this.#dirty.set(partition, source)
      if (error instanceof SkeinError && error.code === 'revoked') this.#dirty.clear()
      for (const waiter of waiters) waiter.reject(error)
    }
  }

  async #commit(dirty: ReadonlyMap<number, () => StoredProgress | undefined>): Promise<void> {
    const { cluster, topic, group, membership } = this.#parts
    const progress = new Map<number, StoredProgress>()
    const texts = new Map<number, string>()
    for (const [partition, source] of dirty) {
      const stored = source()
      if (stored === undefined) continue
      const { offset, metadata } = packProgress(stored)
      const text = `${offset} ${metadata}`
      if (text === this.#last.get(partition)) continue
      progress.set(partition, stored)
      texts.set(partition, text)
    }
    if (progress.size === 0) return
    const action = `commit the place of group "${group}" in "${topic}"`
    const deadlineMs = cluster.clock.monotonicMs() + cluster.retryForMs
    for (let tries = 0; ; tries += 1) {
      try {
        await commitProgress(cluster, membership.committer, { topic, progress })
        for (const [partition, text] of texts) this.#last.set(partition, text)
        return
      } catch (error) {
        await this.#again(error, { action, tries, isLate: cluster.clock.monotonicMs() >= deadlineMs })
      }
    }
  }

  /** Waits until the commit may be tried again; throws when it may not. */
  async #again(
    error: unknown,
    attempt: { readonly action: string; readonly tries: number; readonly isLate: boolean },
  ): Promise<void> {
    const { cluster, membership, group } = this.#parts
    const code = kafkaCode(error)
    if (this.#closed || cluster.isClosed) throw new ClosedError('the reader')
    if (code === KAFKA.STALE_MEMBER_EPOCH && !attempt.isLate) return membership.beat()
    if (code !== undefined && FENCED.has(code)) {
      void membership.beat()
      throw new SkeinError(
        'revoked',
        `Cannot ${attempt.action}: Kafka has given the partitions of "${group}" to other readers; the messages will be delivered again`,
        { cause: error },
      )
    }
    cluster.noteFailure(error)
    if (!isRetriable(error) || attempt.isLate) throw skeinError(error, attempt.action)
    await cluster.backOff(attempt.tries)
  }

  /** Nothing more is committed. */
  close(): void {
    this.#closed = true
    this.#timer?.cancel()
    for (const waiter of this.#waiters.splice(0)) waiter.reject(new ClosedError('the reader'))
  }
}
