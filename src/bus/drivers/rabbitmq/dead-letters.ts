import { type Clock, type Random, type SkeinError, SUBJECT_BYTES_MAX, SUBJECT_LEVELS_MAX } from '../../../core/index.ts'
import type { Delivery, Headers, Message, Writer } from '../../index.ts'
import {
  type DeadLetterOrigin,
  deadLetterHeaders,
  deadLetterOrigin,
  deadLetterTopic,
  replayedHeaders,
} from '../../kit/index.ts'
import { AmqpDelivery, streamOffsetOf } from './amqp-delivery.ts'
import type { Link } from './link.ts'
import type { Names } from './names.ts'
import { Place, type PlaceParts } from './place.ts'
import { readNow } from './stream-reading.ts'
import type { OpenTopic, Topics } from './topics.ts'
import { withChannel } from './with-channel.ts'

const REPLAY_BATCH = 256
const REPLAY_GROUP = 'skein replays'

export interface DeadLettersParts {
  readonly link: Link
  readonly names: Names
  readonly topics: Topics
  readonly clock: Clock
  readonly random: Random
  readonly place: Omit<PlaceParts, 'queue' | 'what'>
  readonly writer: (topic: OpenTopic) => Writer
}

export interface Burial {
  readonly group: string
  readonly attempts: number
  readonly error: string
}

/** Up to which offset the letters of each group were replayed, exclusive. */
type Replayed = Readonly<Record<string, number>>

/** Keeps the dead letters of every topic in a log of their own, and brings them back to the group that lost them. */
export class DeadLetters {
  readonly #parts: DeadLettersParts
  readonly #writers = new Map<string, Promise<Writer>>()

  constructor(parts: DeadLettersParts) {
    this.#parts = parts
  }

  /** Resolves when the letter is stored. */
  async bury(topic: OpenTopic, delivery: Delivery, burial: Burial): Promise<void> {
    const writer = await this.#writerFor(topic)
    const { settings } = topic
    const letter = letterOf(delivery, {
      topic: settings.name,
      partition: delivery.position.partition,
      offset: delivery.position.sequence,
      subject: delivery.subject,
      appendedAtMs: delivery.appendedAtMs,
      ...burial,
    })
    await writer.write([letter])
  }

  #writerFor(topic: OpenTopic): Promise<Writer> {
    const name = deadLetterTopic(topic.settings.name)
    let writer = this.#writers.get(name)
    if (writer === undefined) {
      writer = this.#open(topic, name).then((opened) => this.#parts.writer(opened))
      this.#writers.set(name, writer)
      writer.catch(() => this.#writers.delete(name))
    }
    return writer
  }

  async #open({ settings }: OpenTopic, name: string): Promise<OpenTopic> {
    const { messageBytesMax } = settings
    const { topics } = this.#parts
    const found = await topics.get(name).catch(unlessMissing)
    const spec = { name, intent: 'event', durability: 'written' } as const
    // A topic that was made again may have another bound than when its first letter came.
    return roomy(await topics.open(found === undefined ? { ...spec, messageBytesMax } : spec))
  }

  /** Writes the letters of a topic, or of one of its groups, again: for their group alone. Resolves to their number. */
  async replay(
    topic: OpenTopic,
    options: { readonly group?: string | undefined; readonly max: number },
  ): Promise<number> {
    const letters = await this.#parts.topics.get(deadLetterTopic(topic.settings.name)).catch(unlessMissing)
    if (letters === undefined) return 0
    let replayed: Replayed = {}
    const held = Promise.withResolvers<Replayed>()
    const { names, place } = this.#parts
    const ledger: Place<Replayed> = new Place(
      {
        ...place,
        queue: names.place(letters.settings.name, 0, { group: REPLAY_GROUP, generation: 0 }),
        what: 'the replay of dead letters',
      },
      () => replayed,
      { onHeld: (stored) => held.resolve(stored ?? {}), onLost: () => {}, onDead: () => {}, onFailed: held.reject },
    )
    try {
      replayed = await held.promise
      return await this.#replayAll(topic, letters, {
        ...options,
        replayed: () => replayed,
        note: async (now) => {
          replayed = now
          await ledger.flush()
        },
      })
    } finally {
      await ledger.release()
    }
  }

  /** What was replayed is noted after it is stored, so that a crash between repeats it rather than loses it. */
  async #replayAll(
    topic: OpenTopic,
    letters: OpenTopic,
    how: {
      readonly group?: string | undefined
      readonly max: number
      readonly replayed: () => Replayed
      readonly note: (replayed: Replayed) => Promise<void>
    },
  ): Promise<number> {
    const writer = this.#parts.writer(roomy(topic))
    let count = 0
    try {
      for (let from = 0; count < how.max; ) {
        const read = await this.#read(letters, from)
        if (read.length === 0) return count
        const through: Record<string, number> = { ...how.replayed() }
        const messages: Message[] = []
        for (const letter of read) {
          if (count + messages.length >= how.max) break
          from = letter.position.sequence + 1
          const origin = deadLetterOrigin(letter.headers)
          if (origin === undefined || (how.group !== undefined && origin.group !== how.group)) continue
          if (letter.position.sequence < (through[origin.group] ?? 0)) continue
          messages.push(replayedMessage(letter, origin))
          through[origin.group] = from
        }
        if (messages.length === 0) continue
        await writer.write(messages)
        await how.note(through)
        count += messages.length
      }
      return count
    } finally {
      await writer.close()
    }
  }

  async #read({ settings }: OpenTopic, from: number): Promise<Delivery[]> {
    const { link, names } = this.#parts
    const stream = names.stream(settings.name, 0)
    const messages = await withChannel(link, `Cannot read the dead letters in "${settings.name}"`, (channel) =>
      readNow(channel, stream, { start: from, credits: REPLAY_BATCH }),
    )
    return messages.map((message) => {
      const place = {
        topic: settings.name,
        partition: 0,
        sequence: streamOffsetOf(message),
        attempt: 1,
        generation: 0,
      }
      return new AmqpDelivery(message, place)
    })
  }

  async close(): Promise<void> {
    const writers = await Promise.allSettled(this.#writers.values())
    for (const writer of writers) if (writer.status === 'fulfilled') await writer.value.close()
  }
}

function unlessMissing(error: SkeinError): undefined {
  if (error.code !== 'not-found') throw error
}

/** What was stored once can be stored again, whatever the bound of the topic is now. */
function roomy(topic: OpenTopic): OpenTopic {
  return { ...topic, settings: { ...topic.settings, messageBytesMax: Number.POSITIVE_INFINITY } }
}

/** The client has 64 KiB for all of them; a key, an id and what this driver adds are among them. */
const HEADERS_BYTES_MAX = 60_000

function letterOf(delivery: Delivery, origin: DeadLetterOrigin): Message {
  const topic = deadLetterTopic(origin.topic)
  const subject = deadLetterTopic(origin.subject)
  // Deep subjects do not fit behind the prefix; the origin keeps them.
  const fits = Buffer.byteLength(subject) <= SUBJECT_BYTES_MAX && subject.split('.').length <= SUBJECT_LEVELS_MAX
  const bytesMax =
    HEADERS_BYTES_MAX - Buffer.byteLength(delivery.key ?? origin.subject) - Buffer.byteLength(delivery.id ?? '')
  const headers: Headers = deadLetterHeaders(delivery.headers, origin, { bytesMax })
  return {
    subject: fits ? subject : topic,
    key: delivery.key ?? origin.subject,
    value: delivery.value,
    headers,
    timestampMs: delivery.timestampMs,
    id: delivery.id,
  }
}

function replayedMessage(letter: Delivery, origin: DeadLetterOrigin): Message {
  return {
    subject: origin.subject,
    key: letter.key === origin.subject ? undefined : letter.key,
    value: letter.value,
    headers: replayedHeaders(letter.headers),
    timestampMs: letter.timestampMs,
    id: letter.id,
  }
}
