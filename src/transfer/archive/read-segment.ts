import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { SkeinError } from '../../core/index.ts'
import type { ObjectStore } from '../../objects/index.ts'
import { damaged, type SegmentEntry, sha256Of } from './archive-record.ts'
import { type ArchivedRow, parseArchivedLine } from './archived-row.ts'

const decompress = promisify(gunzip)
const NEWLINE = 0x0a

/**
 * The messages of a segment in the order they were archived, once all of it was checked against the manifest. Rejects with
 * `corrupt` naming the object before the first message.
 */
export async function* readSegment(store: ObjectStore, entry: SegmentEntry): AsyncGenerator<ArchivedRow> {
  const rows = await checkedRows(store, entry)
  for (let at = 0; at < rows.byteLength; ) {
    const end = rows.indexOf(NEWLINE, at)
    yield parseArchivedLine(rows.toString('utf8', at, end))
    at = end + 1
  }
}

/** Rejects with `corrupt` naming the object. */
export async function checkSegment(store: ObjectStore, entry: SegmentEntry): Promise<void> {
  await checkedRows(store, entry)
}

async function checkedRows(store: ObjectStore, entry: SegmentEntry): Promise<Buffer> {
  const { name } = entry
  const bytes = await fetched(store, name)
  if (bytes.byteLength !== entry.bytes)
    throw damaged(name, `it has ${bytes.byteLength} bytes instead of ${entry.bytes}`)
  if (sha256Of(bytes) !== entry.sha256) throw damaged(name, 'its checksum differs')
  const rows = await decompress(bytes, { maxOutputLength: entry.rowBytes }).catch((cause: unknown) => {
    throw damaged(name, 'it cannot be decompressed', cause)
  })
  const count = countOf(rows)
  if (rows.byteLength === entry.rowBytes && count === entry.messages) return rows
  throw damaged(name, `it holds ${count} messages instead of ${entry.messages}`)
}

async function fetched(store: ObjectStore, name: string): Promise<Uint8Array> {
  try {
    return await store.get(name)
  } catch (error) {
    if (error instanceof SkeinError && error.code === 'not-found') throw damaged(name, 'it is missing', error)
    throw error
  }
}

function countOf(rows: Buffer): number {
  let count = 0
  for (let at = rows.indexOf(NEWLINE); at !== -1; at = rows.indexOf(NEWLINE, at + 1)) count += 1
  return count
}
