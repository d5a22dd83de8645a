import { type Random, SkeinError } from '../src/core/index.ts'
import type { SimulatedEvents } from './simulated-events.ts'

/** What a volume does to its user, by name; what happened is counted under the same names. */
export type VolumeFault = 'slow-sync' | 'lost-unsynced' | 'torn-write' | 'read-corruption' | 'sync-error' | 'disk-full'

/** How a volume behaves. May change at any time. */
export interface VolumeConditions {
  readonly syncMsMin: number
  readonly syncMsMax: number
  /** Syncs that fail; what they were to make durable is then lost with the next crash. */
  readonly syncErrorPercent: number
  /** Reads that return a flipped bit, though the disk has the right one. Never more than twice in a row for one file. */
  readonly readCorruptionPercent: number
  /** Bytes of all files together; a write beyond them fails. */
  readonly capacityBytes: number
}

export const CALM_VOLUME: VolumeConditions = {
  syncMsMin: 0.2,
  syncMsMax: 2,
  syncErrorPercent: 0,
  readCorruptionPercent: 0,
  capacityBytes: Number.POSITIVE_INFINITY,
}

export interface SimulatedVolumeOptions {
  readonly events: Pick<SimulatedEvents, 'after'>
  readonly random: Random
  readonly onFault?: (fault: VolumeFault) => void
  /** Told after each write, before it is durable: where a planner of damage gets its chance. */
  readonly onWrite?: (file: string, bytes: Uint8Array) => void
}

interface PendingWrite {
  readonly position: number
  readonly bytes: Uint8Array
  readonly order: number
}

interface VolumeFile {
  /** As its user sees it. */
  seen: Uint8Array
  seenSize: number
  /** As it is on the disk. */
  durable: Uint8Array
  durableSize: number
  pending: PendingWrite[]
  badReadsInARow: number
}

/**
 * Files on a disk in simulated time: writes are at once visible to who wrote them and durable only when a sync that
 * began after them has ended. A crash loses, keeps or tears each write that was not synced. Calls do not wait: a sync
 * calls back. For code that uses the `Disk` port see `SimulatedDisk`.
 */
export class SimulatedVolume {
  conditions: VolumeConditions = CALM_VOLUME
  readonly #options: SimulatedVolumeOptions
  #files = new Map<string, VolumeFile>()
  /** The directory as it is on the disk. */
  #durableFiles = new Map<string, VolumeFile>()
  #order = 0
  /** Rises with each crash: what was under way before never ends. */
  #era = 0

  constructor(options: SimulatedVolumeOptions) {
    this.#options = options
  }

  /** Throws `disk-full`; nothing is then written. Makes the file when there is none. */
  write(name: string, position: number, bytes: Uint8Array): void {
    const grows = Math.max(0, position + bytes.length - (this.#files.get(name)?.seenSize ?? 0))
    if (grows > 0 && this.#usedBytes() + grows > this.conditions.capacityBytes) {
      this.#options.onFault?.('disk-full')
      throw new SkeinError('disk-full', `Cannot write ${name}: the volume is full`, { retryable: true })
    }
    const file = this.#fileToWrite(name)
    this.#order += 1
    file.pending.push({ position, bytes, order: this.#order })
    file.seen = placed(file.seen, position, bytes)
    file.seenSize = Math.max(file.seenSize, position + bytes.length)
    this.#options.onWrite?.(name, bytes)
  }

  /** Calls back when all that was written to the file before is durable, or with the error. After a crash: never. */
  sync(name: string, done: (error?: SkeinError) => void): void {
    const through = this.#order
    this.#later((error) => {
      if (error !== undefined) return done(error)
      const file = this.#files.get(name)
      if (file !== undefined) settle(file, through)
      done()
    })
  }

  /** The same for names: files made, renamed and removed. */
  syncDirectory(done: (error?: SkeinError) => void): void {
    const names = new Map(this.#files)
    this.#later((error) => {
      if (error !== undefined) return done(error)
      this.#durableFiles = names
      done()
    })
  }

  #later(done: (error?: SkeinError) => void): void {
    const { syncMsMin, syncMsMax, syncErrorPercent } = this.conditions
    const era = this.#era
    if (syncMsMax > 100) this.#options.onFault?.('slow-sync')
    this.#options.events.after(syncMsMin + this.#options.random.float() * (syncMsMax - syncMsMin), () => {
      if (era !== this.#era) return
      if (!this.#happens(syncErrorPercent)) return done()
      this.#options.onFault?.('sync-error')
      done(new SkeinError('io-failed', 'Cannot sync: EIO'))
    })
  }

  names(): string[] {
    return [...this.#files.keys()].sort()
  }

  /** A copy of the file as its user sees it, or undefined. */
  read(name: string): Uint8Array | undefined {
    const file = this.#files.get(name)
    if (file === undefined) return undefined
    const bytes = file.seen.slice(0, file.seenSize)
    if (bytes.length === 0 || file.badReadsInARow >= 2 || !this.#happens(this.conditions.readCorruptionPercent)) {
      file.badReadsInARow = 0
      return bytes
    }
    file.badReadsInARow += 1
    this.#options.onFault?.('read-corruption')
    flipBit(bytes, this.#options.random)
    return bytes
  }

  truncate(name: string, size: number): void {
    const file = this.#files.get(name)
    if (file === undefined || size >= file.seenSize) return
    // A cut is taken to be durable at once: what it removes was never proven, and may not come back.
    settle(file, this.#order)
    file.seenSize = size
    file.durableSize = size
    file.seen.fill(0, size)
    file.durable.fill(0, size)
  }

  rename(from: string, to: string): void {
    const file = this.#files.get(from)
    if (file === undefined) throw new SkeinError('not-found', `Cannot rename ${from}: there is no such file`)
    this.#files.delete(from)
    this.#files.set(to, file)
  }

  remove(name: string): void {
    this.#files.delete(name)
  }

  /** The power fails: what was not synced is there, not there, or there in part. */
  crash(): void {
    this.#era += 1
    const { random } = this.#options
    // Changes of names reach the disk in their order or not at all: here, all or none of those not synced.
    if (random.float() < 0.5) this.#durableFiles = new Map(this.#files)
    this.#files = new Map(this.#durableFiles)
    for (const file of new Set(this.#files.values())) this.#crashFile(file)
  }

  #crashFile(file: VolumeFile): void {
    const { random } = this.#options
    for (const write of file.pending) {
      const chance = random.float()
      if (chance < 0.4) this.#options.onFault?.('lost-unsynced')
      else if (chance < 0.7) place(file, write)
      else {
        this.#options.onFault?.('torn-write')
        place(file, tear(write, random))
      }
    }
    file.pending = []
    file.seen = file.durable.slice()
    file.seenSize = file.durableSize
  }

  /** The file as it would be after losing all that is not synced: for checkers. Not a copy. */
  durable(name: string): Uint8Array | undefined {
    const file = this.#durableFiles.get(name)
    return file?.durable.subarray(0, file.durableSize)
  }

  durableNames(): string[] {
    return [...this.#durableFiles.keys()].sort()
  }

  /** Changes a file behind its user's back, durably. */
  damage(name: string, position: number, bytes: Uint8Array): void {
    const file = this.#files.get(name)
    if (file === undefined) return
    const end = Math.min(position + bytes.length, file.durableSize)
    const part = bytes.subarray(0, Math.max(0, end - position))
    file.durable.set(part, position)
    file.seen.set(part, position)
  }

  #fileToWrite(name: string): VolumeFile {
    let file = this.#files.get(name)
    if (file === undefined) {
      const empty = new Uint8Array(0)
      file = { seen: empty, seenSize: 0, durable: empty, durableSize: 0, pending: [], badReadsInARow: 0 }
      this.#files.set(name, file)
    }
    return file
  }

  #usedBytes(): number {
    let used = 0
    for (const file of this.#files.values()) used += file.seenSize
    return used
  }

  #happens(percent: number): boolean {
    return percent > 0 && this.#options.random.float() * 100 < percent
  }
}

function settle(file: VolumeFile, through: number): void {
  const later: PendingWrite[] = []
  for (const write of file.pending) {
    if (write.order <= through) place(file, write)
    else later.push(write)
  }
  file.pending = later
}

function place(file: VolumeFile, { position, bytes }: Pick<PendingWrite, 'position' | 'bytes'>): void {
  file.durable = placed(file.durable, position, bytes)
  file.durableSize = Math.max(file.durableSize, position + bytes.length)
}

function placed(content: Uint8Array, position: number, bytes: Uint8Array): Uint8Array {
  const end = position + bytes.length
  const grown = end <= content.length ? content : new Uint8Array(Math.max(end, content.length * 2, 256))
  if (grown !== content) grown.set(content)
  grown.set(bytes, position)
  return grown
}

/** The beginning of a write, or its end with nothing before it. */
function tear({ position, bytes }: PendingWrite, random: Random): Pick<PendingWrite, 'position' | 'bytes'> {
  const cut = Math.floor(random.float() * bytes.length)
  if (random.float() < 0.5) return { position, bytes: bytes.subarray(0, cut) }
  const torn = bytes.slice()
  torn.fill(0, 0, cut)
  return { position, bytes: torn }
}

function flipBit(bytes: Uint8Array, random: Random): void {
  const at = Math.floor(random.float() * bytes.length)
  bytes[at] = bytes[at]! ^ (1 << Math.floor(random.float() * 8))
}
