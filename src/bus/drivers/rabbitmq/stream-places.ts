import type { ConsumeMessage } from 'amqplib'
import type { Clock } from '../../../core/index.ts'
import type { Lag, Position } from '../../index.ts'
import { originOf, streamOffsetOf } from './amqp-delivery.ts'
import type { Link } from './link.ts'
import type { Names } from './names.ts'
import { readNow, type StreamEnds, type StreamStart, streamEnds, TIME_MARGIN_MS } from './stream-reading.ts'
import type { OpenTopic } from './topics.ts'
import { withChannel } from './with-channel.ts'

const LOOK_CREDITS = 2_000

/** Where the logs of topics begin and end, and how far behind somebody is. */
export class StreamPlaces {
  readonly #link: Link
  readonly #names: Names
  readonly #clock: Clock

  constructor(parts: { readonly link: Link; readonly names: Names; readonly clock: Clock }) {
    this.#link = parts.link
    this.#names = parts.names
    this.#clock = parts.clock
  }

  endsOf(topic: OpenTopic, partition: number): Promise<StreamEnds> {
    return streamEnds(this.#link, this.#names.stream(topic.settings.name, partition))
  }

  /** One past the last message of each partition. */
  ends(topic: OpenTopic): Promise<Position[]> {
    const partitions = Array.from({ length: topic.settings.partitions }, (_, partition) => partition)
    return Promise.all(
      partitions.map(async (partition) => ({ partition, sequence: (await this.endsOf(topic, partition)).end })),
    )
  }

  /** Of the first message that was sent at a time or later; the end of the log where there is none. */
  async offsetAt(topic: OpenTopic, partition: number, timestampMs: number): Promise<number> {
    const { start, end } = await this.endsOf(topic, partition)
    const seconds = Math.max(0, Math.floor((timestampMs - TIME_MARGIN_MS) / 1_000))
    const stream = this.#names.stream(topic.settings.name, partition)
    return withChannel(this.#link, `Cannot look for a time in "${stream}"`, async (channel) => {
      let from: StreamStart = { seconds }
      for (;;) {
        const messages: ConsumeMessage[] = await readNow(channel, stream, { start: from, credits: LOOK_CREDITS })
        const found = messages.find((message) => originOf(message).sentAtMs >= timestampMs)
        if (found !== undefined) return streamOffsetOf(found)
        if (messages.length === 0) return Math.max(start, end)
        from = streamOffsetOf(messages.at(-1)!) + 1
      }
    })
  }

  /** `committed` undefined: nothing is left to read. Seconds are by the writers' clocks and ours. */
  async lag(
    topic: OpenTopic,
    of: { readonly partition: number; readonly committed: number | undefined; readonly group: string | undefined },
  ): Promise<Lag> {
    const { partition, committed, group } = of
    const lag = { topic: topic.settings.name, group, partition }
    if (committed === undefined) return { ...lag, messages: 0, seconds: 0 }
    const { start, end } = await this.endsOf(topic, partition)
    const from = Math.max(start, committed)
    if (from >= end) return { ...lag, messages: 0, seconds: 0 }
    const sentAtMs = await this.#sentAtMs(topic, partition, from)
    const seconds = sentAtMs === undefined ? undefined : Math.max(0, this.#clock.nowMs() - sentAtMs) / 1_000
    return { ...lag, messages: end - from, seconds }
  }

  async #sentAtMs(topic: OpenTopic, partition: number, offset: number): Promise<number | undefined> {
    const stream = this.#names.stream(topic.settings.name, partition)
    return withChannel(this.#link, `Cannot look into "${stream}"`, async (channel) => {
      const [message] = await readNow(channel, stream, { start: offset, credits: 1 })
      return message && originOf(message).sentAtMs
    })
  }
}
