import { SkeinError } from '../../core/index.ts'
import type { Entry, EntryKind } from '../../raft/index.ts'

const KINDS: readonly EntryKind[] = ['command', 'config', 'empty']

/** Before the bytes of each: their length (4), kind (1), term (8, a double). */
export const ENTRY_HEADER_BYTES = 13

/** Below that a copy is cheaper than a piece of its own. */
const PART_BYTES_MIN = 4_096

/** Of an entry whose bytes come right behind it. */
export function writeEntryHeader(view: DataView, at: number, { length, kind, term }: EntryHeader): void {
  view.setUint32(at, length, true)
  view.setUint8(at + 4, kind === 'command' ? 0 : KINDS.indexOf(kind))
  view.setFloat64(at + 5, term, true)
}

export interface EntryHeader {
  readonly length: number
  readonly kind: EntryKind
  readonly term: number
}

/**
 * Entries that follow each other, as they are sent and stored, in one or more pieces; their indexes are not written.
 *
 * What came from a peer, or was made by `encodeCommands`, lies in memory as it is written: then the piece is that memory, and
 * nothing is copied. Whether it does is seen from the bytes before each entry, so it does not matter where they come from.
 */
export function encodeEntries(entries: readonly Entry[]): Uint8Array[] {
  const parts: Uint8Array[] = []
  let copied = 0
  for (let at = 0; at < entries.length; ) {
    const { end, bytes } = encodedRun(entries, at)
    if (bytes >= PART_BYTES_MIN) {
      if (copied < at) parts.push(copyEntries(entries.slice(copied, at)))
      const { buffer, byteOffset } = entries[at]!.data
      parts.push(new Uint8Array(buffer, byteOffset - ENTRY_HEADER_BYTES, bytes))
      copied = end
    }
    at = Math.max(end, at + 1)
  }
  if (copied < entries.length) parts.push(copyEntries(entries.slice(copied)))
  return parts
}

/** How many entries from `from` on lie one behind the other as they are written: up to `end`, and their bytes. */
function encodedRun(entries: readonly Entry[], from: number): { readonly end: number; readonly bytes: number } {
  const { buffer, byteOffset } = entries[from]!.data
  const start = byteOffset - ENTRY_HEADER_BYTES
  if (start < 0) return { end: from, bytes: 0 }
  const view = new DataView(buffer)
  let place = start
  let end = from
  for (; end < entries.length; end += 1) {
    const { data, kind, term } = entries[end]!
    const { length } = data
    if (data.buffer !== buffer || data.byteOffset !== place + ENTRY_HEADER_BYTES) break
    if (view.getUint32(place, true) !== length || view.getFloat64(place + 5, true) !== term) break
    if (KINDS[view.getUint8(place + 4)] !== kind) break
    place += ENTRY_HEADER_BYTES + length
  }
  return { end, bytes: place - start }
}

function copyEntries(entries: readonly Entry[]): Uint8Array {
  let bytes = entries.length * ENTRY_HEADER_BYTES
  for (const { data } of entries) bytes += data.length
  const copy = Buffer.allocUnsafeSlow(bytes)
  const view = new DataView(copy.buffer)
  let at = 0
  for (const { data, kind, term } of entries) {
    writeEntryHeader(view, at, { length: data.length, kind, term })
    copy.set(data, at + ENTRY_HEADER_BYTES)
    at += ENTRY_HEADER_BYTES + data.length
  }
  return copy
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
  if (count * ENTRY_HEADER_BYTES > source.length - from) throw malformed('it has fewer entries than it says')
  const entries: Entry[] = []
  let at = from
  for (let index = first; index < first + count; index += 1) {
    if (at + ENTRY_HEADER_BYTES > source.length) throw malformed('an entry is cut off')
    const start = at + ENTRY_HEADER_BYTES
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
