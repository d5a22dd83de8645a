import type { RawBatch, RawReader, SettledMessage } from '../../bus/index.ts'
import { recordCursor } from '../../log/index.ts'

interface Entry {
  readonly number: number
  readonly batch: RawBatch
  takenThrough: number
}

/**
 * What a group reader's client has been sent and its application has not taken yet. It lies in the client's buffer, so
 * when the client goes away, or loses the partition, nobody has tried it: it is released and its attempts do not count.
 */
export class HandedOut {
  readonly #reader: RawReader
  #entries: Entry[] = []

  constructor(reader: RawReader) {
    this.#reader = reader
  }

  add(number: number, batch: RawBatch): void {
    this.#entries.push({ number, batch, takenThrough: -1 })
  }

  /** The application has what this batch holds up to there. */
  taken(number: number, sequence: number): void {
    const index = this.#entries.findIndex((entry) => entry.number === number)
    const entry = this.#entries[index]
    if (entry === undefined) return
    if (sequence < entry.batch.last.sequence) entry.takenThrough = sequence
    else this.#entries.splice(index, 1)
  }

  clear(): void {
    this.#entries = []
  }

  /** Gives back what was not taken: of these partitions, or of all. */
  async release(partitions?: readonly number[]): Promise<void> {
    const released = this.#entries.filter((entry) => partitions?.includes(entry.batch.partition) ?? true)
    this.#entries = this.#entries.filter((entry) => !released.includes(entry))
    for (const entry of released) {
      try {
        await this.#reader.settle(untaken(entry), 'release', { generation: entry.batch.generation })
      } catch {
        // Revoked meanwhile, or the bus is closing: then it is given again anyway.
      }
    }
  }
}

function untaken(entry: Entry): SettledMessage[] {
  const messages: SettledMessage[] = []
  const { partition, pieces } = entry.batch
  for (const piece of pieces) {
    const cursor = recordCursor(piece.body, piece.baseOffset, piece.firstTimestampMs)
    for (let index = 0; cursor.next(); index += 1) {
      const sequence = piece.offsets?.[index] ?? cursor.offset
      if (sequence < piece.fromOffset || sequence > piece.throughOffset || sequence <= entry.takenThrough) continue
      messages.push({ position: { partition, sequence }, orderKey: cursor.key ?? cursor.subject })
    }
  }
  return messages
}
