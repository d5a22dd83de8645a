import { SkeinError } from '../../core/index.ts'
import type { Entry, EntryKind } from '../../raft/index.ts'

const KINDS: readonly EntryKind[] = ['command', 'config', 'empty']
const HEADER_BYTES = 13

/** Bytes that these entries take when written. */
export function encodedEntriesBytes(entries: readonly Entry[]): number {
  let bytes = entries.length * HEADER_BYTES
  for (const entry of entries) bytes += entry.data.length
  return bytes
}

/** Entries that follow each other; their indexes are not written. Per entry: length (4), kind (1), term (8, a double), bytes. */
export function writeEntries(entries: readonly Entry[], target: Buffer, from: number): void {
  const view = new DataView(target.buffer, target.byteOffset, target.byteLength)
  let at = from
  for (const { data, kind, term } of entries) {
    view.setUint32(at, data.length, true)
    view.setUint8(at + 4, kind === 'command' ? 0 : KINDS.indexOf(kind))
    view.setFloat64(at + 5, term, true)
    target.set(data, at + HEADER_BYTES)
    at += HEADER_BYTES + data.length
  }
}

export interface EntriesPlace {
  readonly from: number
  /** The index of the first. */
  readonly first: number
  readonly count: number
}

/** The entries written at the end of `source`; their bytes are views into it. Throws `malformed-frame`. */
export function readEntries(source: Buffer, { from, first, count }: EntriesPlace): Entry[] {
  const view = new DataView(source.buffer, source.byteOffset, source.byteLength)
  if (count * HEADER_BYTES > source.length - from) throw malformed('it has fewer entries than it says')
  const entries: Entry[] = []
  let at = from
  for (let index = first; index < first + count; index += 1) {
    if (at + HEADER_BYTES > source.length) throw malformed('an entry is cut off')
    const start = at + HEADER_BYTES
    const end = start + view.getUint32(at, true)
    const kind = KINDS[view.getUint8(at + 4)]
    const term = view.getFloat64(at + 5, true)
    if (end > source.length || kind === undefined || !Number.isSafeInteger(term) || term < 1) {
      throw malformed('an entry makes no sense')
    }
    entries.push({ index, term, kind, data: new Uint8Array(source.buffer, source.byteOffset + start, end - start) })
    at = end
  }
  if (at !== source.length) throw malformed('something follows the entries')
  return entries
}

function malformed(why: string): SkeinError {
  return new SkeinError('malformed-frame', `Cannot read the entries of a frame: ${why}`)
}
