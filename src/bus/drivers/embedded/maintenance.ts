import type { Clock, Timer } from '../../../core/index.ts'
import { MARK_ID, type Partition } from './partition.ts'
import type { TopicStore } from './topic-store.ts'

const INTERVAL_MS = 10_000

/** Retention and compaction of every topic, and forgetting of old ids, from time to time, one partition after the other. */
export class Maintenance {
  readonly #topics: TopicStore
  readonly #stored: () => Promise<void>
  readonly #clock: Clock
  readonly #intervalMs: number
  #timer: Timer | undefined
  #running: Promise<void> | undefined
  #stopped = false
  readonly #stopping = Promise.withResolvers<void>()

  /** `stored` resolves when what was noted before is stored. */
  constructor(
    topics: TopicStore,
    stored: () => Promise<void>,
    options: { readonly clock: Clock; readonly maintenanceIntervalMs?: number },
  ) {
    this.#topics = topics
    this.#stored = stored
    this.#clock = options.clock
    this.#intervalMs = options.maintenanceIntervalMs ?? INTERVAL_MS
    this.#schedule()
  }

  #schedule(): void {
    this.#timer = this.#clock.setTimer(() => {
      this.#running = this.#runAll().finally(() => {
        if (!this.#stopped) this.#schedule()
      })
    }, this.#intervalMs)
  }

  async #runAll(): Promise<void> {
    for (const topic of this.#topics.logTopics()) {
      for (const partition of topic.partitions) {
        if (this.#stopped) return
        await this.#run(partition)
      }
    }
  }

  /** A failure here loses nothing: the next round tries again, and the log's own status tells. */
  async #run(partition: Partition): Promise<void> {
    const { log, settings } = partition
    partition.expireIds()
    const nowMs = this.#clock.nowMs()
    try {
      const { retention, compaction } = settings
      if (retention.ageMs !== undefined || retention.bytes !== undefined) await log.retain(retention, nowMs)
      if (compaction !== undefined) await this.#compact(partition, compaction.tombstoneMs)
    } catch {
      return
    }
  }

  /**
   * What is remembered of ids and producers is read from the log when it is opened: with its record it would be forgotten,
   * and a repeat of an old value stored behind the newer one. So what has an id stays for the time in which ids are looked
   * for, and what is known of the producers is noted first.
   */
  async #compact(partition: Partition, tombstoneMs: number): Promise<void> {
    partition.note()
    await Promise.race([this.#stored(), this.#stopping.promise])
    if (this.#stopped) return
    const keepMarked = { marks: MARK_ID, ms: partition.settings.deduplicationWindowMs }
    await partition.log.compact({ tombstoneMs, keepMarked, nowMs: this.#clock.nowMs() })
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#stopping.resolve()
    this.#timer?.cancel()
    await this.#running
  }
}
