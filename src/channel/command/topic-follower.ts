import {
  type Bus,
  type Delivery,
  type Position,
  partitionsRead,
  type Reader,
  type StartPosition,
} from '../../bus/index.ts'
import { type Clock, type Random, SkeinError } from '../../core/index.ts'
import { backoffMs } from './backoff.ts'

export interface TopicFollowerOptions {
  readonly bus: Bus
  readonly clock: Clock
  readonly random: Random
  readonly topic: string
  /** Default: all of the topic. */
  readonly subjects?: readonly string[]
  /**
   * `latest` is where the topic ends when following begins, not when the first read comes; `live` is for a topic that
   * stores nothing: what passes while nobody is connected is missed.
   */
  readonly from: StartPosition | 'live'
  /** Nothing more is read until what it gives, if anything, is resolved. */
  readonly onDelivery: (delivery: Delivery) => Promise<void> | undefined | void
  readonly onError: (error: unknown) => void
}

const QUIET_MS = 300

/** Gives everything of a topic from one point on, over lost connections too; after one, some of it twice. */
export class TopicFollower {
  readonly #options: TopicFollowerOptions
  readonly #stop = new AbortController()
  readonly #caughtUp = Promise.withResolvers<void>()
  readonly #running: Promise<void>
  /** Where to go on after a failure, of each partition. */
  readonly #heard = new Map<number, Position>()
  /** Where each partition ended when following began, as far as it is not reached yet. */
  #ahead = new Map<number, number>()
  #isCaughtUp = false

  constructor(options: TopicFollowerOptions) {
    this.#options = options
    this.#running = this.#followForEver()
  }

  /** Resolves once what was there at the beginning has been given, and nothing after it is missed; or when closed. */
  get caughtUp(): Promise<void> {
    return this.#caughtUp.promise
  }

  async close(): Promise<void> {
    this.#stop.abort(new SkeinError('closed', `Cannot follow ${this.#options.topic}: it was closed`))
    await this.#running
  }

  async #followForEver(): Promise<void> {
    const { clock, random, onError } = this.#options
    for (let failures = 0; !this.#stop.signal.aborted; failures += 1) {
      let reader: Reader | undefined
      try {
        reader = this.#open()
        await this.#begin(reader)
        await this.#readFrom(reader, () => {
          failures = 0
        })
      } catch (error) {
        const expected = this.#stop.signal.aborted || (error instanceof SkeinError && error.retryable)
        if (!expected) onError(error)
      }
      await reader?.close().catch(() => {})
      if (this.#stop.signal.aborted) break
      const delayMs = backoffMs(failures, { firstMs: 100, maxMs: 5_000, random })
      await clock.sleep(delayMs, { signal: this.#stop.signal }).catch(() => {})
    }
    this.#caughtUp.resolve()
  }

  #open(): Reader {
    const { bus, topic, subjects, from } = this.#options
    const filter = subjects === undefined ? {} : { subjects }
    if (from === 'live') return bus.reader(topic, { mode: 'broadcast', from: 'latest', ...filter })
    return bus.reader(topic, { mode: 'broadcast', from, overflow: 'wait', ...filter })
  }

  async #begin(reader: Reader): Promise<void> {
    const { from } = this.#options
    if (from === 'live') {
      this.#arrived()
      return
    }
    if (this.#heard.size === 0 && from !== 'latest') {
      const ends = (await reader.end()).filter(({ sequence }) => sequence > 0)
      this.#ahead = new Map(ends.map(({ partition, sequence }) => [partition, sequence]))
      if (this.#ahead.size === 0) this.#arrived()
      return
    }
    for (const end of await reader.end()) if (!this.#heard.has(end.partition)) this.#heard.set(end.partition, end)
    await reader.seek([...this.#heard.values()])
    if (from === 'latest') this.#arrived()
  }

  async #readFrom(reader: Reader, onProgress: () => void): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      const batch = await reader.read(this.#isCaughtUp ? { signal } : { signal, waitMs: QUIET_MS })
      onProgress()
      // What is before an end and will not come is gone by compaction or retention; what is only slow is not.
      if (batch === null) for (const partition of await partitionsRead(reader)) this.#came(partition)
      for (const delivery of batch?.deliveries ?? []) {
        const pause = this.#options.onDelivery(delivery)
        if (pause !== undefined) await pause
      }
      if (batch !== null) this.#gave(batch.last)
    }
  }

  #gave(last: Position): void {
    this.#heard.set(last.partition, last)
    const end = this.#ahead.get(last.partition)
    if (end === undefined || last.sequence + 1 < end) return
    this.#came(last.partition)
  }

  #came(partition: number): void {
    this.#ahead.delete(partition)
    if (this.#ahead.size === 0) this.#arrived()
  }

  #arrived(): void {
    this.#isCaughtUp = true
    this.#caughtUp.resolve()
  }
}
