import type { RawBatch, RawReader, SettledMessage } from '../../bus/index.ts'
import { recordCursor } from '../../log/index.ts'

interface Entry {
  readonly number: number
  readonly batch: RawBatch
  takenThrough: number
  /** Keys whose messages were taken back; `all` for every key. */
  withdrawn: Set<string> | 'all' | undefined
}

/** What comes behind these messages and was not taken is to come back: of their keys, or of their whole partitions. */
export interface Withdrawal {
  /** Of the assignment under which they were settled. */
  readonly generation: number
  readonly behind: readonly SettledMessage[]
  readonly wholePartition: boolean
}

export interface Withdrawn {
  readonly generation: number
  readonly messages: readonly SettledMessage[]
}

/**
 * What a group reader's client has been sent and its application has not taken yet. It lies in the client's buffer, so
 * when the client goes away, or loses the partition, nobody has tried it: it is released and its attempts do not count.
 */
export class HandedOut {
  readonly #reader: RawReader
  #entries: Entry[] = []
  readonly #ordinals = new Map<number, number>()

  constructor(reader: RawReader) {
    this.#reader = reader
  }

  add(number: number, batch: RawBatch): void {
    this.#entries.push({ number, batch, takenThrough: -1, withdrawn: undefined })
  }

  /** The application has what this batch holds up to there. */
  taken(number: number, sequence: number): void {
    const index = this.#entries.findIndex((entry) => entry.number === number)
    const entry = this.#entries[index]
    if (entry === undefined) return
    this.#ordinals.set(entry.batch.partition, entry.batch.ordinal)
    if (sequence < entry.batch.last.sequence) entry.takenThrough = sequence
    else this.#entries.splice(index, 1)
  }

  /** Takes back what a withdrawal names, out of the batches from this number on. */
  withdraw(withdrawal: Withdrawal, fromNumber = 0): Withdrawn[] {
    const { behind, wholePartition, generation } = withdrawal
    const keys = Map.groupBy(behind, ({ position }) => position.partition)
    const withdrawn: Withdrawn[] = []
    for (const entry of this.#entries) {
      // Settled under an assignment that is over: what was sent under the next one is not meant.
      if (entry.number < fromNumber || entry.batch.generation !== generation) continue
      const settled = keys.get(entry.batch.partition)
      if (settled === undefined) continue
      const names = new Set(settled.map(({ orderKey }) => orderKey))
      const messages = untaken(entry).filter(({ orderKey }) => wholePartition || names.has(orderKey))
      if (wholePartition) entry.withdrawn = 'all'
      else if (entry.withdrawn !== 'all') entry.withdrawn = new Set([...names, ...(entry.withdrawn ?? [])])
      if (messages.length > 0) withdrawn.push({ generation: entry.batch.generation, messages })
    }
    return withdrawn
  }

  /** Of the last batch of a partition that the application has some of. */
  ordinalOf(partition: number): number {
    return this.#ordinals.get(partition) ?? 0
  }

  /**
   * The client has forgotten what it was sent: that of the partitions that are sought, or of all when none is named, is of no
   * use; what was not taken of the others is given back.
   */
  async releaseOthers(sought: readonly number[] | undefined): Promise<void> {
    const partitions = new Set(this.#entries.map((entry) => entry.batch.partition))
    for (const partition of sought ?? partitions) partitions.delete(partition)
    await this.release([...partitions])
    this.#entries = []
    if (sought === undefined) this.#ordinals.clear()
    else for (const partition of sought) this.#ordinals.delete(partition)
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
  const { withdrawn } = entry
  if (withdrawn === 'all') return messages
  const { partition, pieces } = entry.batch
  for (const piece of pieces) {
    const cursor = recordCursor(piece.body, piece.baseOffset, piece.firstTimestampMs)
    for (let index = 0; cursor.next(); index += 1) {
      const sequence = piece.offsets?.[index] ?? cursor.offset
      if (sequence < piece.fromOffset || sequence > piece.throughOffset || sequence <= entry.takenThrough) continue
      const orderKey = cursor.key ?? cursor.subject
      if (withdrawn?.has(orderKey) !== true) messages.push({ position: { partition, sequence }, orderKey })
    }
  }
  return messages
}
