import { type Disk, type DiskLock, SkeinError } from '../../../core/index.ts'

const FORMAT = 'skein-data'
const FORMAT_VERSION = 1
const FORMAT_FILE = 'format.json'
const FORMAT_BYTES_MAX = 4_096

/** A data directory that belongs to this process: locked, and of a format this build understands. */
export interface DataDirectory {
  readonly disk: Disk
  readonly path: string
  release(): Promise<void>
}

/** Takes a data directory, or begins one. Rejects with `locked`, `future-version`, `corrupt` or what the disk says. */
export async function openDataDirectory(disk: Disk, path: string): Promise<DataDirectory> {
  await disk.makeDirectory(path)
  const lock: DiskLock = await disk.lock(path)
  try {
    const file = `${path}/${FORMAT_FILE}`
    if ((await disk.size(file)) === undefined) await writeFormat(disk, path)
    else checkFormat(path, await readAll(disk, file))
  } catch (error) {
    await lock.release()
    throw error
  }
  return { disk, path, release: () => lock.release() }
}

/** Under another name first: a directory has either no format file or a whole one. */
async function writeFormat(disk: Disk, path: string): Promise<void> {
  const draft = `${path}/${FORMAT_FILE}.new`
  if ((await disk.size(draft)) !== undefined) await disk.remove(draft)
  const file = await disk.open(draft, 'create')
  try {
    await file.writev([Buffer.from(`${JSON.stringify({ format: FORMAT, version: FORMAT_VERSION })}\n`)], 0)
    await file.datasync()
  } finally {
    await file.close()
  }
  await disk.rename(draft, `${path}/${FORMAT_FILE}`)
  await disk.syncDirectory(path)
}

async function readAll(disk: Disk, path: string): Promise<string> {
  const file = await disk.open(path, 'read')
  try {
    const bytes = new Uint8Array(FORMAT_BYTES_MAX)
    const length = await file.read(bytes, 0)
    return Buffer.from(bytes.buffer, 0, length).toString()
  } finally {
    await file.close()
  }
}

function checkFormat(path: string, text: string): void {
  const version = formatVersion(text)
  if (version === undefined) {
    throw new SkeinError(
      'corrupt',
      `Cannot open data directory ${path}: its ${FORMAT_FILE} is damaged; restore it from a backup`,
      {
        details: { directory: path },
      },
    )
  }
  if (version <= FORMAT_VERSION) return
  throw new SkeinError(
    'future-version',
    `Cannot open data directory ${path}: its format has version ${version}, this build reads up to ${FORMAT_VERSION}; use a newer build`,
    { details: { directory: path, version, supported: FORMAT_VERSION } },
  )
}

function formatVersion(text: string): number | undefined {
  try {
    const { format, version } = JSON.parse(text) as { readonly format?: unknown; readonly version?: unknown }
    return format === FORMAT && typeof version === 'number' ? version : undefined
  } catch {
    return undefined
  }
}
