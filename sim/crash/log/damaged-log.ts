import { openLog } from '../../../src/log/index.ts'
import { type DiskImage, SimulatedClock, SimulatedDisk } from '../../../testing/index.ts'
import { LogLedger } from './log-ledger.ts'

export const DIRECTORY = 'data/log'

/** One batch of the file under test. */
export interface BatchPlace {
  readonly start: number
  readonly end: number
  readonly firstOffset: number
  readonly lastOffset: number
}

/** A log at rest, in which one segment's file is going to be damaged. */
export interface VictimLog {
  readonly ledger: LogLedger
  readonly image: DiskImage
  /** Path of the segment's file. */
  readonly file: string
  readonly batches: readonly BatchPlace[]
  /** Bytes of the file that had been recorded as synced. */
  readonly provenBytes: number
}

export interface VictimOptions {
  /** Bytes that the file shall have at least; no batch begins beyond. */
  readonly fileBytes: number
  readonly batchRecords: number
  /**
   * `closed`: everything recorded as synced. `half`: the synced end was recorded half-way, then the process was killed.
   * `none`: killed before it was ever recorded.
   */
  readonly ending: 'closed' | 'half' | 'none'
  /** Whether a segment lies before it, and one behind it. */
  readonly neighbours: boolean
}

/** Writes such a log, taking positions from what it acknowledges and how its file grows, not from how it is made. */
export async function makeVictim(options: VictimOptions): Promise<VictimLog> {
  const disk = new SimulatedDisk()
  const clock = new SimulatedClock()
  const ledger = new LogLedger()
  const open = (segmentBytes: number) => openLog({ disk, clock, directory: DIRECTORY, segmentBytes, idleMs: 20 })
  // A log opened with tiny segments begins a new one with each append.
  const appendTiny = async (count: number) => {
    const log = await open(1)
    for (let index = 0; index < count; index += 1) await ledger.append(log, 2, 'durable')
    await log.close()
  }
  if (options.neighbours) await appendTiny(3)
  const log = await open(64 * options.fileBytes)
  const batches: BatchPlace[] = []
  let file = ''
  let provenBytes = 0
  for (let bytes = 0; bytes < options.fileBytes; ) {
    const attempt = await ledger.append(log, options.batchRecords, 'durable')
    file = newestSegment(disk.image())
    bytes = disk.image().get(file)!.byteLength
    const firstOffset = attempt.baseOffset!
    const start = batches.at(-1)?.end ?? bytes - (await batchBytes(log, firstOffset))
    batches.push({ start, end: bytes, firstOffset, lastOffset: firstOffset + attempt.count - 1 })
    if (options.ending === 'half' && provenBytes === 0 && bytes >= options.fileBytes / 2) {
      await clock.advance(1_000)
      provenBytes = bytes
    }
  }
  const image = disk.image()
  if (options.ending !== 'closed') return { ledger, image, file, batches, provenBytes }
  await log.close()
  if (options.neighbours) await appendTiny(3)
  return { ledger, image: disk.image(), file, batches, provenBytes: batches.at(-1)!.end }
}

async function batchBytes(
  log: { read(fromOffset: number, maxBytes: number): Promise<ReadonlyArray<{ readonly bytes: Uint8Array }>> },
  offset: number,
): Promise<number> {
  const [batch] = await log.read(offset, 1)
  return batch!.bytes.byteLength
}

function newestSegment(image: DiskImage): string {
  return [...image.keys()]
    .filter((path) => path.endsWith('.segment'))
    .sort()
    .at(-1)!
}
