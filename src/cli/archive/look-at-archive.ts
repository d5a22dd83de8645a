import { SkeinError } from '../../core/index.ts'
import { systemDisk } from '../../core/system/index.ts'
import { type ArchivePlaceSpec, openArchiveStore } from '../../fabric/index.ts'
import type { ObjectStore } from '../../objects/index.ts'
import { Manifest, verifyArchive } from '../../transfer/index.ts'
import type { CommandContext } from '../context.ts'
import { EXIT } from '../exit-codes.ts'
import { table } from '../terminal.ts'

interface LookOptions {
  readonly json: boolean
  readonly context: CommandContext
}

/** What an archive holds, from its newest record alone. */
export async function showArchive(place: ArchivePlaceSpec, { json, context }: LookOptions): Promise<void> {
  const newest = await withStore(place, (store) => new Manifest(store).newest())
  if (newest === undefined) throw noArchive(place)
  const { archive, source, totals, places, number, writer, writtenAtMs } = newest.record
  const partitions = places.map(({ partition, nextSequence, last }) => ({
    partition,
    nextSequence,
    lastAppendedAtMs: last?.appendedAtMs,
  }))
  if (json) {
    const facts = {
      archive,
      source: source.place,
      topic: source.topic,
      ...totals,
      records: number,
      writer,
      writtenAtMs,
    }
    await context.terminal.line(JSON.stringify({ ...facts, partitions }))
    return
  }
  const { messages, segments, bytes, gaps } = totals
  await context.terminal.line(
    `${source.topic}: ${messages} messages in ${segments} segments, ${bytes} bytes, ${gaps} gaps, last written ${timeOf(writtenAtMs)}`,
  )
  const rows = partitions.map(({ partition, nextSequence, lastAppendedAtMs }) => [
    ...[String(partition), String(nextSequence), timeOf(lastAppendedAtMs)],
  ])
  await context.terminal.line(table([['partition', 'archived before', 'last message'], ...rows]))
}

/** Its segments and gaps, in the order they were archived. */
export async function listArchive(place: ArchivePlaceSpec, { json, context }: LookOptions): Promise<void> {
  await withStore(place, async (store) => {
    let records = 0
    for await (const { segment, gaps = [] } of new Manifest(store).records()) {
      records += 1
      for (const gap of gaps) {
        const { partition, fromSequence, beforeSequence, why } = gap
        const text = `gap\tpartition ${partition}: ${fromSequence} to ${beforeSequence - 1} (${why})`
        await context.terminal.line(json ? JSON.stringify({ gap }) : text)
      }
      if (segment === undefined) continue
      const from = Math.min(...segment.ranges.map(({ firstAtMs }) => firstAtMs))
      const to = Math.max(...segment.ranges.map(({ lastAtMs }) => lastAtMs))
      const text = `${segment.name}\t${segment.messages} messages\t${segment.bytes} bytes\t${timeOf(from)} to ${timeOf(to)}`
      await context.terminal.line(json ? JSON.stringify({ segment }) : text)
    }
    if (records === 0) throw noArchive(place)
  })
}

/** Reads all of it; damage is the exit code of damaged data. */
export async function verifyPlace(
  place: ArchivePlaceSpec,
  { json, context, clean }: LookOptions & { readonly clean: boolean },
): Promise<void> {
  const { terminal, signal } = context
  const report = await withStore(place, (store) =>
    verifyArchive(store, {
      ...{ signal, clean },
      onProgress: ({ segments, messages }) => terminal.progress(`${segments} segments, ${messages} messages`),
    }),
  )
  if (report.records === 0 && report.damaged.length === 0) throw noArchive(place)
  if (report.damaged.length > 0) context.exitCode = EXIT.corrupt
  if (json) {
    await terminal.line(JSON.stringify(report))
    return
  }
  for (const { object, reason } of report.damaged) await terminal.line(`damaged\t${object}: ${reason}`)
  const { messages, segments, gaps, damaged, orphans, cleaned } = report
  await terminal.line(
    `${messages} messages in ${segments} segments, ${gaps} gaps, ${damaged.length} damaged, ${orphans} left over (${cleaned} cleaned)`,
  )
}

async function withStore<Result>(
  place: ArchivePlaceSpec,
  action: (store: ObjectStore) => Promise<Result>,
): Promise<Result> {
  const store = await openArchiveStore(place, { disk: systemDisk(), create: false })
  try {
    return await action(store)
  } finally {
    store.close()
  }
}

function noArchive({ place }: ArchivePlaceSpec): SkeinError {
  return new SkeinError('not-found', `Cannot read the archive at "${place}": there is none; name the place of one`)
}

function timeOf(timeMs: number | undefined): string {
  return timeMs === undefined ? '-' : new Date(timeMs).toISOString()
}
