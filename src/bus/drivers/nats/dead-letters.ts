import { SkeinError, SUBJECT_BYTES_MAX } from '../../../core/index.ts'
import type { Delivery, Headers, Message, Reader, TopicDescription, Writer } from '../../index.ts'
import {
  type DeadLetterOrigin,
  deadLetterHeaders,
  deadLetterOrigin,
  deadLetterTopic,
  replayedHeaders,
  topicOfDeadLetters,
} from '../../kit/index.ts'
import type { Connection } from './connection.ts'
import { GroupStore, type Stored } from './group-store.ts'
import type { LogTopic } from './log-topic.ts'
import { headerBytes } from './message-codec.ts'
import type { TopicStore } from './topic-store.ts'

const REPLAYED = 'replayed'
const SUBJECT_LEVELS = 32

export interface DeadLettersParts {
  readonly topics: TopicStore
  readonly connection: Connection
  readonly openWriter: (topic: LogTopic) => Writer
  readonly openReader: (topic: LogTopic) => Reader
}

/** The dead letters of a topic are a topic of their own, made with the first of them. */
export class DeadLetters {
  readonly #parts: DeadLettersParts

  constructor(parts: DeadLettersParts) {
    this.#parts = parts
  }

  /** Resolves when the letter is stored. */
  async bury(
    topic: LogTopic,
    delivery: Delivery,
    death: { readonly group: string; readonly attempts: number; readonly error: string },
  ): Promise<void> {
    const { position, subject, appendedAtMs } = delivery
    const origin = {
      topic: topic.settings.name,
      partition: position.partition,
      offset: position.sequence,
      subject,
      appendedAtMs,
      ...death,
    }
    const { payloadBytesMax } = this.#parts.connection
    const letters = await this.#openFor(topic)
    await this.#writeAll(roomy(letters), [letterOf(delivery, origin, payloadBytesMax)])
  }

  async #openFor(topic: LogTopic): Promise<LogTopic> {
    const { settings, replicas, durability } = topic
    const name = deadLetterTopic(settings.name)
    const found = await this.#find(name)
    if (found !== undefined) return found
    await this.#parts.topics.open({
      name,
      intent: 'event',
      durability: durability.level,
      deduplicationWindowMs: 0,
      messageBytesMax: settings.messageBytesMax,
      replicationFactor: replicas,
    })
    return this.#parts.topics.known(name) as LogTopic
  }

  async #writeAll(topic: LogTopic, messages: readonly Message[]): Promise<void> {
    const writer = this.#parts.openWriter(topic)
    try {
      await writer.write(messages)
    } finally {
      await writer.close()
    }
  }

  /** Stores the letters of a topic, or of one of its groups, again: for their group alone. Resolves to their number. */
  async replay(
    topic: LogTopic,
    options: { readonly group: string | undefined; readonly max: number },
  ): Promise<number> {
    const letters = await this.#find(deadLetterTopic(topic.settings.name))
    if (letters === undefined) return 0
    const store = new GroupStore(this.#parts.connection, letters)
    await store.ensure()
    const reader = this.#parts.openReader(letters)
    try {
      return await this.#replayAll(reader, { topic, store, ...options })
    } finally {
      await reader.close()
    }
  }

  /** Of a topic of dead letters: before which place those of each group that its topic has were replayed. */
  async replayed(letters: LogTopic): Promise<TopicDescription['replayed']> {
    const name = topicOfDeadLetters(letters.settings.name)
    if (name === undefined) return undefined
    const { connection } = this.#parts
    const topic = await this.#find(name)
    const groups = topic === undefined ? [] : await new GroupStore(connection, topic).groups()
    const store = new GroupStore(connection, letters)
    const partitions = Array.from({ length: letters.settings.partitions }, (_, partition) => partition)
    const places = groups.flatMap((group) =>
      partitions.map(async (partition) => {
        const { value = 0 } = await store.read<number>(group, `${REPLAYED}${partition}`)
        return { group, before: { partition, sequence: value } }
      }),
    )
    return Promise.all(places)
  }

  async #find(name: string): Promise<LogTopic | undefined> {
    try {
      const found = await this.#parts.topics.find(name)
      return found.kind === 'log' ? found : undefined
    } catch (error) {
      if (error instanceof SkeinError && error.code === 'not-found') return undefined
      throw error
    }
  }

  async #replayAll(
    reader: Reader,
    to: {
      readonly topic: LogTopic
      readonly store: GroupStore
      readonly group: string | undefined
      readonly max: number
    },
  ): Promise<number> {
    const ends = new Map((await reader.end()).map(({ partition, sequence }) => [partition, sequence]))
    let replayed = 0
    let left = [...ends.values()].filter((end) => end > 0).length
    while (left > 0 && replayed < to.max) {
      const batch = await reader.read({ waitMs: this.#parts.connection.requestTimeoutMs })
      if (batch === null) {
        if ((await reader.lag()).every(({ messages }) => messages === 0)) break
        continue
      }
      const end = ends.get(batch.partition) ?? 0
      if (batch.last.sequence + 1 >= end) left -= 1
      const due = batch.deliveries.filter(({ position }) => position.sequence < end)
      replayed += await this.#replayBatch(due, { ...to, max: to.max - replayed })
    }
    return replayed
  }

  /** In order; what was replayed is noted after it is stored, so that a crash between repeats it rather than loses it. */
  async #replayBatch(
    deliveries: readonly Delivery[],
    to: {
      readonly topic: LogTopic
      readonly store: GroupStore
      readonly group: string | undefined
      readonly max: number
    },
  ): Promise<number> {
    const places = new Map<string, Stored<number>>()
    const through = new Map<string, number>()
    const chosen: Message[] = []
    for (const delivery of deliveries) {
      const origin = deadLetterOrigin(delivery.headers)
      if (origin === undefined || (to.group !== undefined && origin.group !== to.group)) continue
      if (chosen.length >= to.max) break
      const { partition, sequence } = delivery.position
      const record = `${REPLAYED}${partition}`
      let place = places.get(origin.group)
      if (place === undefined) {
        place = await to.store.read<number>(origin.group, record)
        places.set(origin.group, place)
      }
      if (sequence < (place.value ?? 0)) continue
      chosen.push(replayedMessage(delivery, origin))
      through.set(origin.group, sequence + 1)
    }
    if (chosen.length === 0) return 0
    await this.#writeAll(roomy(to.topic), chosen)
    const { partition } = deliveries[0]!.position
    for (const [group, offset] of through) {
      await to.store.write({ group, record: `${REPLAYED}${partition}`, after: places.get(group)!.sequence }, offset)
    }
    return chosen.length
  }
}

/** What was stored once can be stored again, whatever the bound of the topic is now. */
function roomy(topic: LogTopic): LogTopic {
  return { ...topic, settings: { ...topic.settings, messageBytesMax: Number.POSITIVE_INFINITY } }
}

/** A key and a value take their part of what the server takes of a message; other headers of ours need this much. */
const SPARE_BYTES = 1_000
const HEADERS_BYTES_MAX = 60_000

function letterOf(delivery: Delivery, origin: DeadLetterOrigin, payloadBytesMax: number): Message {
  const topic = deadLetterTopic(origin.topic)
  const subject = deadLetterTopic(origin.subject)
  const fits = Buffer.byteLength(subject) <= SUBJECT_BYTES_MAX && subject.split('.').length <= SUBJECT_LEVELS
  const keyBytes = headerBytes('', delivery.key ?? origin.subject)
  const valueBytes = delivery.value?.byteLength ?? 0
  const bytesMax = Math.min(HEADERS_BYTES_MAX, payloadBytesMax - valueBytes - SPARE_BYTES) - keyBytes
  return {
    // Deep subjects do not fit behind the prefix; the origin keeps them.
    subject: fits ? subject : topic,
    key: delivery.key ?? origin.subject,
    value: delivery.value,
    headers: deadLetterHeaders(delivery.headers, origin, { bytesMax, bytesOf: headerBytes }),
    timestampMs: delivery.timestampMs,
  }
}

function replayedMessage(delivery: Delivery, origin: DeadLetterOrigin): Message {
  const headers: Headers = replayedHeaders(delivery.headers)
  return {
    subject: origin.subject,
    key: delivery.key === origin.subject ? undefined : delivery.key,
    value: delivery.value,
    headers,
    timestampMs: delivery.timestampMs,
  }
}
