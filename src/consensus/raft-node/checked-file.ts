import { crc32 } from 'node:zlib'
import { type Disk, parentPath, SkeinError } from '../../core/index.ts'

/** Replaces a small file of JSON at once or not at all: a line with version and CRC-32, then the text. */
export async function writeCheckedFile(disk: Disk, path: string, content: unknown): Promise<void> {
  const text = JSON.stringify(content)
  const unfinished = `${path}.new`
  if ((await disk.size(unfinished)) !== undefined) await disk.remove(unfinished)
  const file = await disk.open(unfinished, 'create')
  try {
    await file.writev([Buffer.from(`skein ${VERSION} ${crc32(text)}\n${text}\n`)], 0)
    await file.datasync()
  } finally {
    await file.close()
  }
  await disk.rename(unfinished, path)
  await disk.syncDirectory(parentPath(path))
}

/** What was written, or undefined when there is no such file. Rejects with `corrupt`, `future-version`. */
export async function readCheckedFile<T>(disk: Disk, path: string): Promise<T | undefined> {
  if ((await disk.size(path)) === undefined) return undefined
  const file = await disk.open(path, 'read')
  try {
    const bytes = Buffer.alloc(Math.min(await file.size(), BYTES_MAX))
    const length = await file.read(bytes, 0)
    return parse(bytes.toString('utf8', 0, length), path) as T
  } finally {
    await file.close()
  }
}

const VERSION = 1
const BYTES_MAX = 16 * 1024 * 1024
const FORM = /^skein (\d+) (\d+)\n(.*)\n$/s

function parse(text: string, path: string): unknown {
  const found = FORM.exec(text)
  const version = Number(/^skein (\d+) /.exec(text)?.[1] ?? 0)
  if (version > VERSION) {
    const message = `Cannot read ${path}: it is of version ${version}, this build reads up to ${VERSION}; use a newer Skein`
    throw new SkeinError('future-version', message, { details: { version, known: VERSION } })
  }
  if (found !== null && Number(found[2]) === crc32(found[3]!)) return JSON.parse(found[3]!)
  throw new SkeinError(
    'corrupt',
    `Cannot read ${path}: it fails its checksum; restore it from a copy, or replace this member`,
  )
}
