import { crc32 } from 'node:zlib'
import { type Disk, type DiskFile, SkeinError } from '../core/index.ts'
import { readInteger, writeInteger } from './integers.ts'

const FILE = 'checkpoint'
const MAGIC = 0x504b4b53
const VERSION = 1
const SLOT_BYTES = 80
// The slots lie in different pages, so that no torn or misdirected page harms both.
const SLOT_POSITIONS = [0, 4096] as const

/** What is known to be safe, without scanning for it. */
export interface Checkpoint {
  readonly startOffset: number
  /** One past the last synced record. */
  readonly endOffset: number
  /** The synced end as a position of the log. */
  readonly provenEnd: number
  readonly lastAppendedAtMs: number
  /** The segment that was written when the checkpoint was. */
  readonly segment: { readonly id: number; readonly baseOffset: number; readonly startPosition: number } | undefined
}

/**
 * Two checksummed slots written in turn, each synced before the other is touched: one of them is always whole. Reading
 * takes the newest; a lost one costs time at opening, never data.
 */
export class CheckpointFile {
  readonly #disk: Disk
  readonly #directory: string
  #file: DiskFile | undefined
  #generation: number
  #isListed: boolean
  #writing: Promise<void> = Promise.resolve()

  private constructor(disk: Disk, directory: string, file: DiskFile | undefined, generation: number) {
    this.#disk = disk
    this.#directory = directory
    this.#file = file
    this.#generation = generation
    this.#isListed = file !== undefined
  }

  static async open(
    disk: Disk,
    directory: string,
  ): Promise<{ readonly file: CheckpointFile; readonly newest: Checkpoint | undefined }> {
    const path = `${directory}/${FILE}`
    if ((await disk.size(path)) === undefined) {
      return { file: new CheckpointFile(disk, directory, undefined, 0), newest: undefined }
    }
    const file = await disk.open(path, 'write')
    let newest: { readonly generation: number; readonly checkpoint: Checkpoint } | undefined
    for (const position of SLOT_POSITIONS) {
      const slot = Buffer.alloc(SLOT_BYTES)
      await file.read(slot, position)
      const decoded = decodeSlot(slot)
      if (decoded !== undefined && decoded.generation > (newest?.generation ?? 0)) newest = decoded
    }
    const opened = new CheckpointFile(disk, directory, file, newest?.generation ?? 0)
    return { file: opened, newest: newest?.checkpoint }
  }

  /** Writes and syncs the slot that is not the newest, after any write before it, with what is true then. */
  write(current: () => Checkpoint): Promise<void> {
    const written = this.#writing.then(() => this.#write(current()))
    this.#writing = written.catch(() => undefined)
    return written
  }

  async #write(checkpoint: Checkpoint): Promise<void> {
    const generation = this.#generation + 1
    this.#file ??= await this.#disk.open(`${this.#directory}/${FILE}`, 'create')
    await this.#file.writev([encodeSlot(checkpoint, generation)], SLOT_POSITIONS[generation % 2]!)
    await this.#file.datasync()
    if (!this.#isListed) await this.#disk.syncDirectory(this.#directory)
    this.#isListed = true
    this.#generation = generation
  }

  async close(): Promise<void> {
    await this.#writing
    await this.#file?.close()
    this.#file = undefined
  }
}

function encodeSlot(checkpoint: Checkpoint, generation: number): Buffer {
  const bytes = Buffer.alloc(SLOT_BYTES)
  const view = new DataView(bytes.buffer, bytes.byteOffset, SLOT_BYTES)
  view.setUint32(0, MAGIC, true)
  view.setUint32(8, VERSION, true)
  writeInteger(view, 12, generation)
  writeInteger(view, 20, checkpoint.startOffset)
  writeInteger(view, 28, checkpoint.endOffset)
  writeInteger(view, 36, checkpoint.provenEnd)
  writeInteger(view, 44, checkpoint.lastAppendedAtMs)
  writeInteger(view, 52, checkpoint.segment?.id ?? -1)
  writeInteger(view, 60, checkpoint.segment?.baseOffset ?? -1)
  writeInteger(view, 68, checkpoint.segment?.startPosition ?? -1)
  view.setUint32(4, crc32(bytes.subarray(8)), true)
  return bytes
}

function decodeSlot(bytes: Buffer): { readonly generation: number; readonly checkpoint: Checkpoint } | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, SLOT_BYTES)
  if (view.getUint32(0, true) !== MAGIC || view.getUint32(4, true) !== crc32(bytes.subarray(8))) return undefined
  const version = view.getUint32(8, true)
  if (version > VERSION) {
    const message = `Cannot open a log: its checkpoint says version ${version}, this build reads up to ${VERSION}; use a newer Skein`
    throw new SkeinError('future-version', message, { details: { version, known: VERSION } })
  }
  const id = readInteger(view, 52)
  return {
    generation: readInteger(view, 12),
    checkpoint: {
      startOffset: readInteger(view, 20),
      endOffset: readInteger(view, 28),
      provenEnd: readInteger(view, 36),
      lastAppendedAtMs: readInteger(view, 44),
      segment: id === -1 ? undefined : { id, baseOffset: readInteger(view, 60), startPosition: readInteger(view, 68) },
    },
  }
}
