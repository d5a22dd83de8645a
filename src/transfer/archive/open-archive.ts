import type { TopicDescription } from '../../bus/index.ts'
import { SkeinError, UnsupportedError } from '../../core/index.ts'
import { brokerIdentity } from '../broker-identity.ts'
import { Archive } from './archive.ts'
import type { ArchiveOptions } from './archive-options.ts'
import { ArchiveProgress, otherTopic } from './archive-progress.ts'
import type { ArchiveGap, ArchivePlace, ArchiveRecord, ArchiveSource } from './archive-record.ts'
import { ArchiveWriter } from './archive-writer.ts'

const SEGMENT_BYTES = 16 * 1024 * 1024
const SEGMENT_AGE_MS = 60_000
const WINDOW_BYTES = 16 * 1024 * 1024
const BEAT_MS = 5_000

/**
 * Checks the topic against the archive and takes the archive for this process; nothing is archived before `run()`. Rejects with
 * `not-found` (no such topic), `unsupported` (a topic that stores nothing), `bad-config` (the archive is another topic's),
 * `position-gone` (the topic was made again), `locked` (another archiver writes it), `corrupt` (its manifest), `unauthorised`.
 */
export async function openArchive(options: ArchiveOptions): Promise<Archive> {
  const { source, store, clock, random, signal = new AbortController().signal } = options
  const topic = await describeSource(options)
  const place = `${await brokerIdentity(source.bus, { clock, random, signal })}/${source.topic}`
  const beatMs = options.beatMs ?? BEAT_MS
  const writer = new ArchiveWriter({ store, clock, random, beatMs, signal })
  await writer.load()
  if (!options.takeOver) await writer.awaitOthers()
  const from = sourceOf(topic, place, writer.head)
  const begun = whereToBegin(topic, writer.head, options.from ?? 'earliest')
  await writer.claim(from, begun)
  const onProblem = options.onProblem ?? (() => {})
  for (const gap of begun.gaps) onProblem(gapProblem(source.topic, gap))
  const progress = new ArchiveProgress(source.topic, begun.places)
  const readFrom = progress.readFrom(startsOf(topic))
  return new Archive({
    ...{ source: from, store, writer, progress, clock, random, beatMs, onProblem, stop: new AbortController() },
    from: readFrom,
    reader: source.bus.reader(source.topic, { mode: 'broadcast', from: readFrom }),
    segmentBytes: options.segmentBytes ?? SEGMENT_BYTES,
    segmentAgeMs: options.segmentAgeMs ?? SEGMENT_AGE_MS,
    windowBytes: options.windowBytes ?? WINDOW_BYTES,
  })
}

async function describeSource({ source: { bus, topic } }: ArchiveOptions): Promise<TopicDescription> {
  const found = await bus.admin.describeTopic(topic)
  if (found.spec.storage !== 'ephemeral' && found.capabilities.replayByPosition !== 'none') return found
  throw new UnsupportedError(
    `topic "${topic}" as the source of an archive`,
    'it stores nothing, and what an archiver was away for would be lost; archive a topic of telemetry, events or commands',
  )
}

/** What the archive says of its topic from now on. */
function sourceOf(topic: TopicDescription, place: string, head: ArchiveRecord | undefined): ArchiveSource {
  const { name, intent, partitions, durability, compaction, ttlMs, messageBytesMax, deduplicationWindowMs } = topic.spec
  if (head !== undefined && head.source.place !== place) {
    throw new SkeinError(
      'bad-config',
      `Cannot archive "${name}" here: the archive holds ${head.source.place}, and this topic is ${place}; archive it to another place`,
      { details: { holds: head.source.place, asked: place } },
    )
  }
  const spec = {
    intent,
    ...(partitions !== undefined && { partitions }),
    ...(durability !== undefined && { durability }),
    ...(compaction !== undefined && { compaction }),
    ...(ttlMs !== undefined && { ttlMs }),
    ...(messageBytesMax !== undefined && { messageBytesMax }),
    ...(deduplicationWindowMs !== undefined && { deduplicationWindowMs }),
  }
  return { place, topic: name, spec }
}

function startsOf({ partitions }: TopicDescription): ReadonlyMap<number, number> {
  return new Map(partitions.map(({ partition, start }) => [partition, start.sequence]))
}

interface Beginning {
  readonly places: readonly ArchivePlace[]
  readonly gaps: readonly ArchiveGap[]
}

/** Where each partition goes on, and what retention took since the last archiver. */
function whereToBegin(
  topic: TopicDescription,
  head: ArchiveRecord | undefined,
  from: 'earliest' | 'latest',
): Beginning {
  const known = new Map(head?.places.map((place) => [place.partition, place]))
  const gaps: ArchiveGap[] = []
  const places = topic.partitions.map(({ partition, start, end }): ArchivePlace => {
    const place = known.get(partition)
    known.delete(partition)
    // A partition that came later is archived from its beginning, whatever the first ones were.
    if (place === undefined) {
      return { partition, nextSequence: head === undefined && from === 'latest' ? end.sequence : start.sequence }
    }
    const { nextSequence } = place
    if (end.sequence < nextSequence) {
      throw otherTopic(topic.spec.name, `partition ${partition} ends at ${end.sequence}, archived to ${nextSequence}`)
    }
    if (start.sequence <= nextSequence) return place
    gaps.push({ partition, fromSequence: nextSequence, beforeSequence: start.sequence, why: 'position-gone' })
    return { ...place, nextSequence: start.sequence }
  })
  const [missing] = known.keys()
  if (missing !== undefined) throw otherTopic(topic.spec.name, `it has no partition ${missing}`)
  return { places, gaps }
}

function gapProblem(topic: string, { partition, fromSequence, beforeSequence }: ArchiveGap): SkeinError {
  return new SkeinError(
    'position-gone',
    `Cannot archive ${fromSequence} to ${beforeSequence - 1} of partition ${partition} of "${topic}": retention took them before they were archived; keep the topic longer`,
    { details: { topic, partition, fromSequence, beforeSequence } },
  )
}
