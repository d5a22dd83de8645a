import { type Clock, ClosedError, SkeinError } from '../../core/index.ts'
import type { Bus, Reader, TopicSpec, Writer } from '../bus.ts'
import { WaitPoint } from '../kit/index.ts'
import { Generations } from './generations.ts'
import { decodeGrowthRecord, encodeGrowthRecord, type GrowthRecord } from './growth-record.ts'
import { growthTopic } from './inner-names.ts'

/** Behind what was read, the reader looks again after so long. */
const LOOK_AGAIN_MS = 20

/** The growth of one topic: its records read as they come, and what they say. */
export class GrowthLog {
  readonly topic: string
  readonly generations = new Generations()
  readonly #bus: Bus
  readonly #clock: Clock
  readonly #reader: Reader
  readonly #changes: WaitPoint
  #writer: Writer | undefined
  #failure: unknown

  private constructor(bus: Bus, topic: string, clock: Clock) {
    this.topic = topic
    this.#bus = bus
    this.#clock = clock
    this.#changes = new WaitPoint(clock)
    this.#reader = bus.reader(growthTopic(topic), { mode: 'broadcast', from: 'earliest' })
    this.#follow()
  }

  /** Makes its topic unless it is there, as safe as the topic it tells of. What it says is read. */
  static async create(bus: Bus, spec: TopicSpec, clock: Clock): Promise<GrowthLog> {
    const { replicationFactor, minInSyncReplicas, racks } = spec
    await bus.open({
      ...{ name: growthTopic(spec.name), intent: 'event', partitions: 1, deduplicationWindowMs: 0 },
      ...(spec.durability !== undefined && { durability: spec.durability }),
      ...(replicationFactor !== undefined && { replicationFactor }),
      ...(minInSyncReplicas !== undefined && { minInSyncReplicas }),
      ...(racks !== undefined && { racks }),
    })
    return GrowthLog.#read(bus, spec.name, clock)
  }

  /** Undefined for a topic that cannot grow. */
  static async find(bus: Bus, topic: string, clock: Clock): Promise<GrowthLog | undefined> {
    try {
      const { spec } = await bus.admin.describeTopic(growthTopic(topic))
      await bus.open(spec)
    } catch (error) {
      if (error instanceof SkeinError && (error.code === 'not-found' || error.code === 'unsupported')) return undefined
      throw error
    }
    return GrowthLog.#read(bus, topic, clock)
  }

  static async #read(bus: Bus, topic: string, clock: Clock): Promise<GrowthLog> {
    const log = new GrowthLog(bus, topic, clock)
    try {
      await log.caughtUp()
    } catch (error) {
      await log.close()
      throw error
    }
    return log
  }

  async #follow(): Promise<void> {
    try {
      for (;;) {
        const batch = await this.#reader.read()
        for (const delivery of batch?.deliveries ?? []) {
          this.generations.apply(decodeGrowthRecord(delivery.text(), this.topic))
        }
        this.#changes.wake()
      }
    } catch (error) {
      this.#failure ??= error
      this.#changes.fail(this.#failure)
    }
  }

  /** Resolves once everything that was written before the call was read. */
  async caughtUp(signal?: AbortSignal): Promise<void> {
    for (;;) {
      this.#check(signal)
      const lags = await this.#reader.lag()
      if (lags.every(({ messages }) => messages === 0)) break
      await this.changed({ delayMs: LOOK_AGAIN_MS, signal })
    }
    // What was given last is still on its way through the promises of this turn.
    await new Promise<void>((resolve) => this.#clock.setImmediate(resolve))
    this.#check(signal)
  }

  #check(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted()
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Resolves when something new was read, or after `delayMs`. */
  changed(
    options: { readonly delayMs?: number | undefined; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    return this.#changes.wait({ delayMs: options.delayMs, signal: options.signal })
  }

  /** Writes a record and reads as far. Rejects as `Writer.write` does. */
  async append(record: GrowthRecord): Promise<void> {
    const subject = growthTopic(this.topic)
    this.#writer ??= this.#bus.writer(subject)
    await this.#writer.write([{ subject, key: this.topic, value: encodeGrowthRecord(record) }])
    await this.caughtUp()
  }

  async close(): Promise<void> {
    this.#failure ??= new ClosedError(`the growth of "${this.topic}"`)
    this.#changes.fail(this.#failure)
    await this.#writer?.close()
    await this.#reader.close()
  }
}
