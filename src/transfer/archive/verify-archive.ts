import { SkeinError } from '../../core/index.ts'
import type { ObjectStore } from '../../objects/index.ts'
import { damaged, type SegmentEntry } from './archive-record.ts'
import { Manifest, recordName } from './manifest.ts'
import { checkSegment } from './read-segment.ts'

export interface VerifyOptions {
  readonly signal?: AbortSignal | undefined
  /** Deletes segments that no record names and none ever will. Default false. */
  readonly clean?: boolean | undefined
  /** After each segment. */
  readonly onProgress?: ((report: VerifyReport) => void) | undefined
}

export interface VerifyReport {
  readonly records: number
  readonly segments: number
  readonly messages: number
  readonly bytes: number
  readonly gaps: number
  readonly damaged: ReadonlyArray<{ readonly object: string; readonly reason: string }>
  /** Left by archivers that died between a segment and its record: in nobody's way. */
  readonly orphans: number
  readonly orphanBytes: number
  readonly cleaned: number
}

type Counts = { -readonly [Name in keyof VerifyReport]: VerifyReport[Name] }

/**
 * Reads all of an archive and compares it with its manifest; what is damaged is reported, not thrown. A record that is damaged
 * ends it: what comes after it cannot be trusted.
 */
export async function verifyArchive(store: ObjectStore, options: VerifyOptions = {}): Promise<VerifyReport> {
  const none = { records: 0, segments: 0, messages: 0, bytes: 0, gaps: 0 }
  const report: Counts = { ...none, damaged: [], orphans: 0, orphanBytes: 0, cleaned: 0 }
  const named = new Set<string>()
  const isWhole = await reported(report, async () => {
    for await (const { segment, number, totals, gaps = [] } of new Manifest(store).records()) {
      options.signal?.throwIfAborted()
      report.records += 1
      report.gaps += gaps.length
      if (segment !== undefined) {
        named.add(segment.name)
        await reported(report, () => checkSegment(store, segment))
        count(report, segment)
        options.onProgress?.(report)
      }
      if (totals.messages !== report.messages) throw damaged(recordName(number), 'its totals do not add up')
    }
  })
  if (isWhole) await lookForOrphans(store, { report, named, clean: options.clean ?? false })
  return report
}

function count(report: Counts, { messages, bytes }: SegmentEntry): void {
  report.segments += 1
  report.messages += messages
  report.bytes += bytes
}

async function reported(report: Counts, action: () => Promise<void>): Promise<boolean> {
  try {
    await action()
    return true
  } catch (error) {
    if (!(error instanceof SkeinError) || error.code !== 'corrupt') throw error
    const { object, reason } = error.details
    report.damaged = [...report.damaged, { object: String(object), reason: String(reason) }]
    return false
  }
}

/** A segment's name begins with the number of its record. Where that number has a record, and another segment, it is nobody's. */
async function lookForOrphans(
  store: ObjectStore,
  { report, named, clean }: { readonly report: Counts; readonly named: ReadonlySet<string>; readonly clean: boolean },
): Promise<void> {
  for (const { name, bytes } of await store.list('segments/')) {
    const number = Number.parseInt(name.slice(name.lastIndexOf('/') + 1), 10)
    if (named.has(name) || number > report.records) continue
    report.orphans += 1
    report.orphanBytes += bytes
    if (!clean) continue
    await store.delete(name)
    report.cleaned += 1
  }
}
