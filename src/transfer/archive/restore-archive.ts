import { checkNotOwnTopic } from '../../bus/index.ts'
import { SkeinError } from '../../core/index.ts'
import { brokerIdentity } from '../broker-identity.ts'
import { openTarget } from '../open-target.ts'
import { type ArchiveRecord, sha256Of } from './archive-record.ts'
import { Manifest } from './manifest.ts'
import { Restore, WRITE_SPAN_MAX } from './restore.ts'
import type { RestoreOptions, RestoreReport } from './restore-options.ts'
import { RestoredBefore } from './restored-before.ts'
import type { RestoredBy } from './restored-message.ts'

/**
 * Writes what an archive holds into a topic: the same keys, subjects, values, headers (and a few of Skein's own) and event
 * times, in the order of each partition. A restore that was cut off and is run again writes each message once; run one at a time.
 * Rejects with `not-found` (no archive, no topic), `corrupt` naming the damaged object, `bad-argument` (the topic holds another
 * restore of it, or its originals), `unsupported`, `unauthorised`, with the signal's reason, and with what the target refuses.
 */
export async function restoreArchive(options: RestoreOptions): Promise<RestoreReport> {
  const { store, clock, random, signal = new AbortController().signal } = options
  const manifest = new Manifest(store)
  const newest = await newestOf(manifest)
  const { source, totals, archive } = newest
  const { bus } = options.target
  const topic = options.target.topic ?? source.topic
  checkNotOwnTopic(topic)
  const capabilities = await openTarget(
    { bus, topic },
    {
      ...{ action: 'restore', like: source.spec, create: options.create ?? false },
      durability: options.durability ?? (source.spec.intent === 'telemetry' ? 'written' : 'safe'),
    },
  )
  const isSame = `${await brokerIdentity(bus, { clock, random, signal })}/${topic}` === source.place
  const { spec } = await bus.admin.describeTopic(topic)
  const by: RestoredBy = {
    ...{ archive, selection: selectionOf(options), source: source.place },
    ...{ sourceTopic: source.topic, targetTopic: topic, givesIds: (spec.deduplicationWindowMs ?? 0) > 0 },
  }
  const before = new RestoredBefore({
    ...{ bus, topic, by, signal, spanMax: WRITE_SPAN_MAX, isCompacted: spec.compaction !== undefined },
    originalsThroughMs: isSame ? lastAtMs(newest) : undefined,
  })
  const writer = bus.writer(topic)
  const nothing = { read: 0, restored: 0, repeats: 0, expired: 0 }
  const { durability } = capabilities
  const { messages, gaps } = totals
  const report = { archive, source: source.place, topic, durability, messages, gaps, ...nothing }
  try {
    return await new Restore({ options, manifest, by, before, writer, report, signal }).run()
  } finally {
    await writer.close()
  }
}

async function newestOf(manifest: Manifest): Promise<ArchiveRecord> {
  const newest = await manifest.newest()
  if (newest !== undefined) return newest.record
  throw new SkeinError('not-found', 'Cannot restore: there is no archive at this place; name that of an archive')
}

/** What makes one restore of an archive another than the next. */
function selectionOf({ sinceMs, beforeMs, expired = 'skip' }: RestoreOptions): string {
  const isAll = sinceMs === undefined && beforeMs === undefined && expired === 'skip'
  return isAll ? 'all' : sha256Of(JSON.stringify([sinceMs ?? null, beforeMs ?? null, expired])).slice(0, 12)
}

function lastAtMs({ places }: ArchiveRecord): number {
  return Math.max(...places.map(({ last }) => last?.appendedAtMs ?? Number.NEGATIVE_INFINITY))
}
