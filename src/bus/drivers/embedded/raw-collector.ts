import { type LogBatch, RecordBatchBuilder } from '../../../log/index.ts'
import type { RawPiece } from '../../index.ts'
import type { Collector, OpenBatch } from './collector.ts'

interface Reframing {
  readonly open: OpenBatch
  readonly builder: RecordBatchBuilder
  readonly offsets: number[]
}

/** Gathers stored bodies as they are; where not every record of one is given, a new body with only those. */
export class RawCollector implements Collector {
  readonly attempts: Array<readonly [offset: number, attempt: number]> = []
  first = -1
  last = -1
  readonly #pieces: RawPiece[] = []
  #reframing: Reframing | undefined
  #count = 0

  get count(): number {
    return this.#count
  }

  addBatch(batch: LogBatch): boolean {
    this.#finishReframing()
    this.#pieces.push({
      body: batch.body,
      baseOffset: batch.baseOffset,
      firstTimestampMs: batch.firstTimestampMs,
      appendedAtMs: batch.appendedAtMs,
      fromOffset: batch.baseOffset,
      throughOffset: batch.lastOffset,
      offsets: undefined,
      count: batch.count,
    })
    this.#note(batch.baseOffset, batch.lastOffset)
    this.#count += batch.count
    return true
  }

  addRecord(open: OpenBatch, attempt: number): void {
    const { cursor } = open
    if (this.#reframing?.open !== open) {
      this.#finishReframing()
      this.#reframing = { open, builder: new RecordBatchBuilder(), offsets: [] }
    }
    const { builder, offsets } = this.#reframing!
    builder.add({
      subject: cursor.subject,
      key: cursor.key,
      value: cursor.isTombstone ? null : cursor.valueBytes(),
      headers: cursor.headers(),
      timestampMs: cursor.timestampMs,
    })
    offsets.push(cursor.offset)
    if (attempt !== 1) this.attempts.push([cursor.offset, attempt])
    this.#note(cursor.offset, cursor.offset)
    this.#count += 1
  }

  #note(from: number, through: number): void {
    if (this.first === -1) this.first = from
    this.last = through
  }

  finish(): readonly RawPiece[] {
    this.#finishReframing()
    return this.#pieces
  }

  #finishReframing(): void {
    const reframing = this.#reframing
    if (reframing === undefined) return
    this.#reframing = undefined
    const { open, builder, offsets } = reframing
    const records = builder.finish()
    this.#pieces.push({
      body: Buffer.concat(records.parts),
      baseOffset: offsets[0]!,
      firstTimestampMs: records.firstTimestampMs,
      appendedAtMs: open.batch.appendedAtMs,
      fromOffset: offsets[0]!,
      throughOffset: offsets.at(-1)!,
      offsets,
      count: records.count,
    })
  }

  offsets(): number[] {
    this.#finishReframing()
    return this.#pieces.flatMap((piece) => piece.offsets ?? range(piece.fromOffset, piece.throughOffset))
  }
}

function range(from: number, through: number): number[] {
  return Array.from({ length: through - from + 1 }, (_, index) => from + index)
}
