import type { Clock, Timer } from '../../../core/index.ts'
import type { Partition } from './partition.ts'
import type { TopicStore } from './topic-store.ts'

const INTERVAL_MS = 10_000

/** Retention and compaction of every topic, and forgetting of old ids, from time to time, one partition after the other. */
export class Maintenance {
  readonly #topics: TopicStore
  readonly #clock: Clock
  readonly #intervalMs: number
  #timer: Timer | undefined
  #running: Promise<void> | undefined
  #stopped = false

  constructor(topics: TopicStore, options: { readonly clock: Clock; readonly maintenanceIntervalMs?: number }) {
    this.#topics = topics
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
      if (compaction !== undefined) await log.compact({ tombstoneMs: compaction.tombstoneMs, nowMs })
    } catch {
      return
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#timer?.cancel()
    await this.#running
  }
}
