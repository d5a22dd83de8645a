import type { Clock } from '../../../core/index.ts'
import { type LogBatch, type RecordCursor, recordCursor } from '../../../log/index.ts'
import type { Durability, Headers, Message, Position } from '../../index.ts'
import {
  type DeadLetterOrigin,
  deadLetterHeaders,
  deadLetterOrigin,
  deadLetterTopic,
  replayedHeaders,
  type TopicSettings,
} from '../../kit/index.ts'
import { LogWriter } from './log-writer.ts'
import { MARK_REPLAY, type Partition } from './partition.ts'
import { advance, openAt } from './redelivery.ts'
import type { StateMap } from './state-map.ts'
import type { LogTopic } from './topic.ts'
import type { TopicStore } from './topic-store.ts'

const READ_BYTES = 1024 * 1024
/** Of the 65,535 that a record has for them; two say how many there are. */
const HEADERS_BYTES_MAX = 65_533
const SUBJECT_BYTES_MAX = 512
const REPLAY_BATCH = 256
const REPLAYED = 'replayed/'
const UNSTAMPED = { producerId: 0, sequence: -1, epoch: 0 }

export interface Burial {
  readonly group: string
  readonly offset: number
  readonly attempts: number
  readonly error: string
}

/** Keeps the dead letters of every topic in a topic of their own, and brings them back to the group that lost them. */
export class DeadLetters {
  readonly #topics: TopicStore
  readonly #state: StateMap
  readonly #clock: Clock

  constructor(parts: { readonly topics: TopicStore; readonly state: StateMap; readonly clock: Clock }) {
    this.#topics = parts.topics
    this.#state = parts.state
    this.#clock = parts.clock
  }

  /** Resolves when the letter is stored; to false for a message that retention has taken meanwhile: it leaves none. */
  async bury(partition: Partition, burial: Burial): Promise<boolean> {
    const open = await openAt(partition, burial.offset)
    if (open === undefined || !advance(open, burial.offset)) return burial.offset >= partition.log.startOffset
    const { settings } = partition
    const topic = await this.#openFor(settings)
    const letter = letterOf(open.cursor, {
      topic: settings.name,
      partition: partition.index,
      offset: burial.offset,
      subject: open.cursor.subject,
      group: burial.group,
      attempts: burial.attempts,
      error: burial.error,
      appendedAtMs: open.batch.appendedAtMs,
    })
    await this.#write(topic, [letter])
    return true
  }

  async #openFor(settings: TopicSettings): Promise<LogTopic> {
    const name = deadLetterTopic(settings.name)
    const found = this.#topics.find(name)
    if (found?.kind === 'log') return found
    const durability: Durability = this.#topics.best
    await this.#topics.open({
      name,
      intent: 'event',
      durability,
      deduplicationWindowMs: 0,
      messageBytesMax: settings.messageBytesMax,
    })
    return this.#topics.get(name) as LogTopic
  }

  async #write(topic: LogTopic, batch: readonly Message[], marks = 0): Promise<void> {
    const writer = new LogWriter(topic, {
      options: {},
      clock: this.#clock,
      onClosed: () => {},
      stamp: { ...UNSTAMPED, marks },
      // What was stored once can be stored again, whatever the bound of the topic is now.
      messageBytesMax: Number.POSITIVE_INFINITY,
    })
    await writer.write(batch)
    await writer.close()
  }

  /** Appends the letters of a topic, or of one of its groups, again: for their group alone. Resolves to their number. */
  async replay(
    topic: LogTopic,
    options: { readonly group?: string | undefined; readonly max: number },
  ): Promise<number> {
    const letters = this.#topics.find(deadLetterTopic(topic.settings.name))
    if (letters?.kind !== 'log') return 0
    let replayed = 0
    for (const partition of letters.partitions) {
      replayed += await this.#replayPartition(partition, { topic, group: options.group, max: options.max - replayed })
    }
    return replayed
  }

  /** Of a topic of dead letters: before which place those of each group were replayed. */
  replayed(name: string): ReadonlyArray<{ readonly group: string; readonly before: Position }> {
    return this.#state.keys(REPLAYED).flatMap((key) => {
      const [topic, group, partition] = JSON.parse(key.slice(REPLAYED.length)) as [string, string, number]
      if (deadLetterTopic(topic) !== name) return []
      return [{ group, before: { partition, sequence: this.#state.get(key) as number } }]
    })
  }

  /** For a topic of dead letters that is gone: letters of a new one of its name begin at the first place again. */
  async forget(name: string): Promise<void> {
    // What is only touched is not yet among the keys.
    await this.#state.flush()
    for (const key of this.#state.keys(REPLAYED)) {
      if (lettersOf(key).name === name) this.#state.touch(key, () => undefined)
    }
    await this.#state.flush()
  }

  async #replayPartition(
    letters: Partition,
    to: { readonly topic: LogTopic; readonly group: string | undefined; readonly max: number },
  ): Promise<number> {
    let replayed = 0
    let offset = letters.log.startOffset
    while (offset < letters.log.endOffset && replayed < to.max) {
      const batches = await letters.log.read(offset, READ_BYTES)
      if (batches.length === 0) break
      for (const batch of batches) {
        replayed += await this.#replayBatch(batch, { ...to, max: to.max - replayed, letters })
        offset = batch.lastOffset + 1
      }
    }
    return replayed
  }

  /** In order; what was replayed is noted after it is stored, so that a crash between repeats it rather than loses it. */
  async #replayBatch(
    batch: LogBatch,
    to: {
      readonly topic: LogTopic
      readonly group: string | undefined
      readonly max: number
      readonly letters: Partition
    },
  ): Promise<number> {
    const chosen: Message[] = []
    const through = new Map<string, number>()
    const cursor = recordCursor(batch.body, batch.baseOffset, batch.firstTimestampMs)
    while (cursor.next() && chosen.length < Math.min(to.max, REPLAY_BATCH)) {
      const headers = cursor.headers()
      const origin = deadLetterOrigin(headers)
      if (origin === undefined || (to.group !== undefined && origin.group !== to.group)) continue
      const key = replayKey(to.topic.settings.name, origin.group, to.letters.index)
      if (cursor.offset < ((this.#state.get(key) as number | undefined) ?? 0)) continue
      chosen.push(replayedMessage(cursor, origin, replayedHeaders(headers)))
      through.set(key, cursor.offset + 1)
    }
    if (chosen.length === 0) return 0
    await this.#write(to.topic, chosen, MARK_REPLAY)
    const current = this.#topics.find(deadLetterTopic(to.topic.settings.name))
    // Letters whose topic was deleted meanwhile leave no mark: it would be taken for one of a new topic.
    if (current?.kind !== 'log' || !current.partitions.includes(to.letters)) return chosen.length
    for (const [key, offset] of through) this.#state.touch(key, () => offset)
    await this.#state.flush()
    return chosen.length
  }
}

/**
 * A crash may come between the deletion of a topic of dead letters and that of its marks, and a power loss may take
 * letters that are marked. Both are put right before anything new is appended, which would never be replayed.
 */
export function clampReplayed(state: StateMap, topics: TopicStore): void {
  for (const key of state.keys(REPLAYED)) {
    const { name, partition } = lettersOf(key)
    const letters = topics.find(name)
    const end = letters?.kind === 'log' ? letters.partitions[partition]?.log.endOffset : undefined
    if (end === undefined || (state.get(key) as number) > end) state.touch(key, () => end)
  }
}

function lettersOf(key: string): { readonly name: string; readonly partition: number } {
  const [topic, , partition] = JSON.parse(key.slice(REPLAYED.length)) as [string, string, number]
  return { name: deadLetterTopic(topic), partition }
}

function replayKey(topic: string, group: string, partition: number): string {
  return `${REPLAYED}${JSON.stringify([topic, group, partition])}`
}

function letterOf(cursor: RecordCursor, origin: DeadLetterOrigin): Message {
  const topic = deadLetterTopic(origin.topic)
  const subject = deadLetterTopic(origin.subject)
  return {
    // Deep subjects do not fit behind the prefix; the origin keeps them.
    subject: Buffer.byteLength(subject) <= SUBJECT_BYTES_MAX && subject.split('.').length <= 32 ? subject : topic,
    key: cursor.key ?? origin.subject,
    value: cursor.isTombstone ? null : cursor.valueBytes(),
    headers: deadLetterHeaders(cursor.headers(), origin, { bytesMax: HEADERS_BYTES_MAX }),
    timestampMs: cursor.timestampMs,
  }
}

function replayedMessage(cursor: RecordCursor, origin: DeadLetterOrigin, headers: Headers): Message {
  return {
    subject: origin.subject,
    key: cursor.key === origin.subject ? undefined : cursor.key,
    value: cursor.isTombstone ? null : cursor.valueBytes(),
    headers,
    timestampMs: cursor.timestampMs,
  }
}
