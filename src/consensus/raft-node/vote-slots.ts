import { crc32 } from 'node:zlib'
import { type Disk, type DiskFile, SkeinError } from '../../core/index.ts'
import type { NodeId } from '../../raft/index.ts'

/** A term and the vote given in it. */
export interface Vote {
  readonly term: number
  readonly vote: NodeId
}

interface Slot extends Vote {
  readonly sequence: number
}

const MAGIC = 0x53_4b_56_4f
const VERSION = 1
const SLOT_BYTES = 40
// In different pages, so that no torn or misdirected page harms both.
const POSITIONS = [0, 4_096] as const

/** Term and vote in two checksummed slots; both are written and synced, one after the other, before anybody relies on them. */
export class VoteSlots {
  readonly #file: DiskFile
  #newest: Slot
  /** Known to be whole: never the first to be written. */
  #good: 0 | 1

  private constructor(file: DiskFile, newest: Slot, good: 0 | 1) {
    this.#file = file
    this.#newest = newest
    this.#good = good
  }

  static async create(disk: Disk, path: string, vote: Vote): Promise<VoteSlots> {
    if ((await disk.size(path)) !== undefined) await disk.remove(path)
    const file = await disk.open(path, 'create')
    const slots = new VoteSlots(file, { ...vote, sequence: 0 }, 0)
    await slots.write(vote)
    return slots
  }

  /**
   * Reads both; a bad one is written again from the other. Rejects with `corrupt` when neither is whole: what this node
   * promised is lost, and it must not vote; with `future-version`.
   */
  static async open(disk: Disk, path: string): Promise<VoteSlots> {
    const file = await disk.open(path, 'write')
    try {
      const found = [await readSlot(file, 0), await readSlot(file, 1)] as const
      const [first, second] = found
      if (first === undefined && second === undefined) throw lost(path)
      const good = (first?.sequence ?? -1) >= (second?.sequence ?? -1) ? 0 : 1
      const slots = new VoteSlots(file, found[good]!, good)
      if (first?.sequence !== second?.sequence) await slots.#writeBoth(found[good]!)
      return slots
    } catch (error) {
      await file.close().catch(() => undefined)
      throw error
    }
  }

  get vote(): Vote {
    return this.#newest
  }

  /** Whether a vote was stored since the slots were made. */
  get wasUsed(): boolean {
    return this.#newest.sequence > 1
  }

  write({ term, vote }: Vote): Promise<void> {
    return this.#writeBoth({ term, vote, sequence: this.#newest.sequence + 1 })
  }

  async #writeBoth(slot: Slot): Promise<void> {
    const bytes = encodeSlot(slot)
    for (const position of [POSITIONS[1 - this.#good]!, POSITIONS[this.#good]]) {
      await this.#file.writev([bytes], position)
      await this.#file.datasync()
    }
    this.#newest = slot
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}

function encodeSlot({ term, vote, sequence }: Slot): Buffer {
  const bytes = Buffer.alloc(SLOT_BYTES)
  bytes.writeUInt32LE(MAGIC, 0)
  bytes.writeUInt32LE(VERSION, 8)
  bytes.writeDoubleLE(sequence, 16)
  bytes.writeDoubleLE(term, 24)
  bytes.writeDoubleLE(vote, 32)
  bytes.writeUInt32LE(crc32(bytes.subarray(8)), 4)
  return bytes
}

async function readSlot(file: DiskFile, which: 0 | 1): Promise<Slot | undefined> {
  const bytes = Buffer.alloc(SLOT_BYTES)
  await file.read(bytes, POSITIONS[which])
  if (bytes.readUInt32LE(0) !== MAGIC || bytes.readUInt32LE(4) !== crc32(bytes.subarray(8))) return undefined
  const version = bytes.readUInt32LE(8)
  if (version > VERSION) {
    const message = `Cannot open a Raft member: its vote is of version ${version}, this build reads up to ${VERSION}; use a newer Skein`
    throw new SkeinError('future-version', message, { details: { version, known: VERSION } })
  }
  return { sequence: bytes.readDoubleLE(16), term: bytes.readDoubleLE(24), vote: bytes.readDoubleLE(32) }
}

function lost(path: string): SkeinError {
  const message = `Cannot open ${path}: neither copy of term and vote is whole, so this member must not vote again; replace it under a new id`
  return new SkeinError('corrupt', message)
}
