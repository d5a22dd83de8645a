import type { Bus, Message, TopicSpec } from '../../../index.ts'
import {
  type DeadLetterOrigin,
  deadLetterHeaders,
  deadLetterOrigin,
  deadLetterTopic,
  replayedHeaders,
  type StoredProgress,
  type TopicSettings,
} from '../../../kit/index.ts'
import type { Cluster } from '../cluster.ts'
import type { RecordCursor } from '../protocol/record-cursor.ts'
import { RecordCursor as Cursor } from '../protocol/record-cursor.ts'
import { listOffsets } from '../read/list-offsets.ts'
import { readBatches } from '../read/read-once.ts'
import type { KafkaTopic } from '../topic/kafka-topic.ts'
import { commitProgress, fetchProgress, outsider } from './group-offsets.ts'
import { readRecord } from './redelivery.ts'

const SUBJECT_BYTES_MAX = 512
const SUBJECT_LEVELS_MAX = 32
const REPLAY_BATCH = 256
/** Of the groups that only keep how far dead letters were replayed. No name of a user's group begins so. */
const REPLAY_GROUP = 'skein.replayed.'

export interface Burial {
  readonly partition: number
  readonly group: string
  readonly offset: number
  readonly attempts: number
  readonly error: string
}

/** Keeps the dead letters of every topic in a topic of their own, and brings them back to the group that lost them. */
export class DeadLetters {
  readonly #cluster: Cluster
  readonly #bus: Pick<Bus, 'open' | 'writer'>
  readonly #opened = new Set<string>()

  constructor(cluster: Cluster, bus: Pick<Bus, 'open' | 'writer'>) {
    this.#cluster = cluster
    this.#bus = bus
  }

  /** Resolves when the letter is stored; a message that retention has taken meanwhile leaves none. */
  async bury(topic: KafkaTopic, burial: Burial): Promise<void> {
    const { partition, offset } = burial
    const cursor = await readRecord(this.#cluster, { topic: topic.name, partition, offset })
    if (cursor === undefined) return
    await this.#open(topic)
    const letter = letterOf(cursor, {
      topic: topic.name,
      partition,
      offset,
      subject: cursor.subject,
      group: burial.group,
      attempts: burial.attempts,
      error: burial.error,
      appendedAtMs: cursor.appendedAtMs,
    })
    await this.#write(deadLetterTopic(topic.name), [letter])
  }

  /** Once for each topic as it is now. */
  async #open(topic: KafkaTopic): Promise<void> {
    if (this.#opened.has(topic.id)) return
    const spec = letterSpec(topic.settings)
    const found = await this.#cluster.topic(spec.name, { fresh: true })
    // A topic that was made again may have other settings than when its first letter came.
    await this.#bus.open(found === undefined ? spec : { name: spec.name, intent: spec.intent })
    this.#opened.add(topic.id)
  }

  async #write(topic: string, batch: readonly Message[]): Promise<void> {
    const writer = this.#bus.writer(topic)
    await writer.write(batch)
    await writer.close()
  }

  /** Appends the letters of a topic, or of one of its groups, again: for their group alone. Resolves to their number. */
  async replay(
    topic: KafkaTopic,
    options: { readonly group?: string | undefined; readonly max: number },
  ): Promise<number> {
    const letters = deadLetterTopic(topic.name)
    if ((await this.#cluster.topic(letters, { fresh: true })) === undefined) return 0
    const ends = await listOffsets(this.#cluster, { topic: letters, at: 'latest' })
    const starts = await listOffsets(this.#cluster, { topic: letters, at: 'earliest' })
    let replayed = 0
    for (const [partition, end] of ends) {
      let offset = starts.get(partition) ?? 0
      while (offset < end && replayed < options.max) {
        const batches = await readBatches(this.#cluster, { topic: letters, partition, offset })
        if (batches.length === 0) break
        for (const batch of batches) {
          const to = { topic, letters, partition, group: options.group, max: options.max - replayed }
          replayed += await this.#replayBatch(new Cursor(batch), to)
          offset = batch.lastOffset + 1
        }
      }
    }
    return replayed
  }

  /** In order; what was replayed is noted after it is stored, so that a crash between repeats it rather than loses it. */
  async #replayBatch(
    cursor: RecordCursor,
    to: {
      readonly topic: KafkaTopic
      readonly letters: string
      readonly partition: number
      readonly group: string | undefined
      readonly max: number
    },
  ): Promise<number> {
    const chosen: Message[] = []
    const through = new Map<string, number>()
    const noted = new Map<string, number>()
    while (cursor.next() && chosen.length < Math.min(to.max, REPLAY_BATCH)) {
      const headers = cursor.headers()
      const origin = deadLetterOrigin(headers)
      if (origin === undefined || (to.group !== undefined && origin.group !== to.group)) continue
      if (!noted.has(origin.group)) noted.set(origin.group, await this.#replayedTo(to, origin.group))
      if (cursor.offset < noted.get(origin.group)!) continue
      chosen.push({
        subject: origin.subject,
        key: cursor.key === origin.subject ? undefined : cursor.key,
        value: cursor.value,
        headers: replayedHeaders(headers),
        timestampMs: cursor.timestampMs,
      })
      through.set(origin.group, cursor.offset + 1)
    }
    if (chosen.length === 0) return 0
    await this.#write(to.topic.name, chosen)
    for (const [group, offset] of through) await this.#note(to, group, offset)
    return chosen.length
  }

  async #replayedTo(of: { readonly letters: string; readonly partition: number }, group: string): Promise<number> {
    const groupId = replayGroup(of.letters, group)
    const found = await fetchProgress(this.#cluster, { groupId, topic: of.letters, partitions: [of.partition] })
    return found.get(of.partition)?.settled ?? 0
  }

  async #note(
    of: { readonly letters: string; readonly partition: number },
    group: string,
    offset: number,
  ): Promise<void> {
    const groupId = replayGroup(of.letters, group)
    const stored: StoredProgress = { settled: offset, delivered: offset, held: [], attempts: [] }
    const progress = new Map([[of.partition, stored]])
    await this.#cluster.retrying(`note what was replayed of "${of.letters}"`, () =>
      commitProgress(this.#cluster, outsider(groupId), { topic: of.letters, progress }),
    )
  }
}

function replayGroup(letters: string, group: string): string {
  return `${REPLAY_GROUP}${letters}/${group}`
}

/** The group whose letters in this topic a group of Kafka's notes as replayed; undefined for every other group of Kafka's. */
export function replayedGroup(letters: string, groupId: string): string | undefined {
  const prefix = replayGroup(letters, '')
  return groupId.startsWith(prefix) ? groupId.slice(prefix.length) : undefined
}

/** As well kept as the topic it belongs to. */
function letterSpec(settings: TopicSettings): TopicSpec {
  const { replicationFactor, minInSyncReplicas } = settings
  return {
    name: deadLetterTopic(settings.name),
    intent: 'event',
    durability: 'written',
    deduplicationWindowMs: 0,
    messageBytesMax: settings.messageBytesMax,
    ...(replicationFactor !== undefined && { replicationFactor }),
    ...(minInSyncReplicas !== undefined && { minInSyncReplicas }),
  }
}

function letterOf(cursor: RecordCursor, origin: DeadLetterOrigin): Message {
  const subject = deadLetterTopic(origin.subject)
  // Deep subjects do not fit behind the prefix; the origin keeps them.
  const fits = Buffer.byteLength(subject) <= SUBJECT_BYTES_MAX && subject.split('.').length <= SUBJECT_LEVELS_MAX
  return {
    subject: fits ? subject : deadLetterTopic(origin.topic),
    key: cursor.orderKey,
    value: cursor.value,
    headers: deadLetterHeaders(cursor.headers(), origin),
    timestampMs: cursor.timestampMs,
  }
}
