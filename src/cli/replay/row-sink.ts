import type { BadRow, Row } from './columns.ts'

/** What a piece of a file holds: its good rows, and those that cannot be published. */
export interface RowBlock {
  readonly rows: readonly Row[]
  readonly bad: readonly BadRow[]
  /** How many of the rows stand before the first bad one; all of them when there is none. */
  readonly rowsBeforeBad: number
}

/** Gathers a block, in the order of the file. */
export class RowSink {
  readonly #rows: Row[] = []
  readonly #bad: BadRow[] = []
  #rowsBeforeBad: number | undefined

  add(row: Row): void {
    this.#rows.push(row)
  }

  fail(bad: BadRow): void {
    this.#rowsBeforeBad ??= this.#rows.length
    this.#bad.push(bad)
  }

  block(): RowBlock {
    return { rows: this.#rows, bad: this.#bad, rowsBeforeBad: this.#rowsBeforeBad ?? this.#rows.length }
  }
}
