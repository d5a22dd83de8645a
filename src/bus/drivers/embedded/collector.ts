import type { LogBatch, RecordCursor } from '../../../log/index.ts'

/** A stored batch being walked. */
export interface OpenBatch {
  readonly batch: LogBatch
  readonly cursor: RecordCursor
}

/** Gathers what one read gives, decoded or not. */
export interface Collector {
  readonly count: number
  /** Offsets of the first and the last record given. */
  readonly first: number
  readonly last: number
  /** The record that the cursor stands on is given. */
  addRecord(open: OpenBatch, attempt: number): void
  /** The whole batch is given, every offset of it. False when this collector wants its records one by one. */
  addBatch(batch: LogBatch): boolean
  /** Offsets given, ascending. */
  offsets(): number[]
}
