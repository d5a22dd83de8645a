import { SkeinError } from '../../../core/index.ts'
import { type Log, type LogBatch, recordCursor } from '../../../log/index.ts'
import { ID_HEADER, type IdWindow, type ProducedBatch } from '../../kit/index.ts'
import { hasMark, MARK_ID, type Partition } from './partition.ts'
import type { StateMap } from './state-map.ts'

/** What is stored of a partition's producers: everything up to `through`, exclusive. */
interface StoredRecall {
  readonly through: number
  readonly producers: ReadonlyArray<
    readonly [producerId: number, batches: ReadonlyArray<readonly [number, number, number]>]
  >
}

const KEY = 'recall/'
const READ_BYTES = 1024 * 1024

/**
 * Brings back, when a partition is opened, what is remembered so that repeats are not stored again: ids by reading what
 * was appended within the window, producers from what was noted and the tail behind it.
 */
export class RecallStore {
  readonly #state: StateMap
  readonly #nowMs: () => number

  constructor(state: StateMap, nowMs: () => number) {
    this.#state = state
    this.#nowMs = nowMs
  }

  async attach(key: string, partition: Partition): Promise<void> {
    const stored = this.#state.get(KEY + key) as StoredRecall | undefined
    const end = partition.log.endOffset
    for (const [producerId, batches] of stored?.producers ?? []) {
      for (const [sequence, lastOffset, accepted] of batches) {
        // What a power loss took away was not stored: a repeat of it is no repeat. A batch that stored nothing is judged
        // again by its ids: recalled, it would make an earlier one that was lost in flight look old.
        const isStored = lastOffset < end && accepted > 0
        if (isStored) partition.producers.add(producerId, { sequence, lastOffset, accepted, duplicates: undefined })
      }
    }
    await this.#readTail(partition, Math.min(stored?.through ?? 0, end))
    const note = () => this.#state.touch(KEY + key, () => recallOf(partition))
    // Noted anew before anything is appended: what comes to lie in the lost places is not what was noted of them.
    if (stored !== undefined && reaches(stored, end)) note()
    partition.onNoteDue(note)
  }

  async #readTail(partition: Partition, through: number): Promise<void> {
    const { log, ids, settings } = partition
    const oldestMs = this.#nowMs() - settings.deduplicationWindowMs
    const idsFrom = ids === undefined ? log.endOffset : await log.offsetAtTime(oldestMs)
    await readThrough(log, Math.min(through, idsFrom), (batch) => {
      if (batch.lastOffset >= through) recallProducer(partition, batch)
      if (ids !== undefined && batch.lastOffset >= idsFrom && hasMark(batch, MARK_ID)) recallIds(ids, batch)
    })
  }

  forget(key: string): void {
    this.#state.touch(KEY + key, () => undefined)
  }
}

/** Whole batches up to the end, passing over what is quarantined: its ids are lost with its records. */
async function readThrough(log: Log, from: number, visit: (batch: LogBatch) => void): Promise<void> {
  let offset = Math.max(log.startOffset, from)
  while (offset < log.endOffset) {
    try {
      const batches = await log.read(offset, READ_BYTES)
      if (batches.length === 0) return
      for (const batch of batches) visit(batch)
      offset = batches.at(-1)!.lastOffset + 1
    } catch (error) {
      const resumeOffset =
        error instanceof SkeinError && error.code === 'corrupt' ? error.details.resumeOffset : undefined
      if (typeof resumeOffset !== 'number' || resumeOffset <= offset) throw error
      offset = resumeOffset
    }
  }
}

function recallProducer(partition: Partition, batch: LogBatch): void {
  const { producerId, sequence } = batch.stamp
  if (sequence < 0 || typeof partition.producers.find(producerId, sequence) === 'object') return
  const { lastOffset, count } = batch
  partition.producers.add(producerId, { sequence, lastOffset, accepted: count, duplicates: undefined })
}

function recallIds(ids: IdWindow, batch: LogBatch): void {
  const cursor = recordCursor(batch.body, batch.baseOffset, batch.firstTimestampMs)
  while (cursor.next()) {
    const id = cursor.header(ID_HEADER)
    if (id !== undefined) ids.add(id, { offset: cursor.offset, atMs: batch.appendedAtMs })
  }
}

function recallOf(partition: Partition): StoredRecall {
  const producers = [...partition.producers.entries()].map(([id, batches]) => [id, batches.map(storedBatch)] as const)
  return { through: partition.notedThrough, producers }
}

function reaches({ through, producers }: StoredRecall, end: number): boolean {
  return through > end || producers.some(([, batches]) => batches.some(([, lastOffset]) => lastOffset >= end))
}

function storedBatch(batch: ProducedBatch): readonly [number, number, number] {
  return [batch.sequence, batch.lastOffset, batch.accepted]
}
