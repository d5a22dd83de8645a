import { BadRow, type Columns, type Row } from './columns.ts'
import { splitCsvRecord } from './csv.ts'
import { csvRowMaker } from './csv-rows.ts'
import type { BrokenLine } from './lines.ts'
import type { RowSink } from './row-sink.ts'

/** The longest record with line ends inside quotes. */
const RECORD_CHARACTERS_MAX = 64 * 1024

const UNCLOSED = 'a quote that opens in it is never closed'
const TOO_LONG = `a quote that opens in it is not closed within ${RECORD_CHARACTERS_MAX} characters`

interface NumberedLine {
  readonly line: string | BrokenLine
  readonly number: number
}

/** A record whose quote is open at the end of its last line. */
interface OpenRecord {
  readonly lines: NumberedLine[]
  text: string
}

/**
 * Makes rows of the lines of a CSV file, the header first. A record goes on over lines while a quote is open; where that
 * gives no row, or would swallow lines that are rows themselves, the line in which the quote opened is the bad one, and
 * the lines behind it are read as if it were not there.
 */
export class CsvLines {
  readonly #columns: Columns
  readonly #badHeader: (problem: string) => Error
  #makeRow: ReturnType<typeof csvRowMaker> | undefined
  #open: OpenRecord | undefined
  /** Lines to be read again, the next one last. */
  readonly #again: NumberedLine[] = []

  constructor(columns: Columns, badHeader: (problem: string) => Error) {
    this.#columns = columns
    this.#badHeader = badHeader
  }

  take(line: string | BrokenLine, number: number, sink: RowSink): void {
    this.#read(line, number, sink)
    this.#readAgain(sink)
  }

  /** Nothing more comes: a quote that is still open is never closed. */
  finish(sink: RowSink): void {
    while (this.#open !== undefined) {
      this.#giveUp(this.#open, UNCLOSED, sink)
      this.#readAgain(sink)
    }
  }

  #readAgain(sink: RowSink): void {
    for (let next = this.#again.pop(); next !== undefined; next = this.#again.pop()) {
      this.#read(next.line, next.number, sink)
    }
  }

  #read(line: string | BrokenLine, number: number, sink: RowSink): void {
    if (this.#open !== undefined) this.#goOn(this.#open, { line, number }, sink)
    else if (typeof line !== 'string') sink.fail(new BadRow(number, line.problem))
    else if (line !== '') this.#begin(line, number, sink)
  }

  #begin(line: string, number: number, sink: RowSink): void {
    const record = splitCsvRecord(line)
    if (record === 'open') this.#open = { lines: [{ line, number }], text: line }
    else if ('problem' in record) this.#fail(number, record.problem, sink)
    else this.#record(record, number, sink)
  }

  #goOn(open: OpenRecord, next: NumberedLine, sink: RowSink): void {
    open.lines.push(next)
    const ended = this.#endOf(open, next.line)
    if (ended === 'open') return
    if (typeof ended === 'string') {
      this.#giveUp(open, ended, sink)
      return
    }
    this.#open = undefined
    this.#record(ended, open.lines[0]!.number, sink)
  }

  /** The cells of a record that this line ends, or why it gives none. */
  #endOf(open: OpenRecord, line: string | BrokenLine): readonly string[] | string {
    if (typeof line !== 'string') return UNCLOSED
    open.text += `\n${line}`
    if (open.text.length > RECORD_CHARACTERS_MAX) return TOO_LONG
    // A line without a quote cannot close what is open: no need to go through the record again.
    const record = line.includes('"') ? splitCsvRecord(open.text) : 'open'
    if (record === 'open') return 'open'
    const { lines } = open
    const until = `a quote that opens in it is closed on line ${lines.at(-1)!.number} only`
    if ('problem' in record) return `${until}, and then ${record.problem}`
    const swallowed = lines.slice(1, -1).find((each) => this.#isRow(each))
    if (swallowed !== undefined) return `${until}, though line ${swallowed.number} is a row of its own`
    const row = this.#makeRow && this.#rowOf(record, lines[0]!.number)
    return row instanceof BadRow ? `${until}, and then ${row.message}` : record
  }

  #record(record: readonly string[], number: number, sink: RowSink): void {
    if (this.#makeRow === undefined) {
      this.#makeRow = csvRowMaker(record, this.#columns)
      return
    }
    const row = this.#rowOf(record, number)
    if (row instanceof BadRow) sink.fail(row)
    else sink.add(row)
  }

  #isRow({ line, number }: NumberedLine): boolean {
    const record = typeof line === 'string' ? splitCsvRecord(line) : 'open'
    if (record === 'open' || 'problem' in record || this.#makeRow === undefined) return false
    return !(this.#rowOf(record, number) instanceof BadRow)
  }

  #rowOf(record: readonly string[], number: number): Row | BadRow {
    try {
      return this.#makeRow!(record, number)
    } catch (error) {
      if (error instanceof BadRow) return error
      throw error
    }
  }

  #giveUp({ lines }: OpenRecord, problem: string, sink: RowSink): void {
    this.#open = undefined
    this.#fail(lines[0]!.number, problem, sink)
    for (let index = lines.length - 1; index > 0; index -= 1) this.#again.push(lines[index]!)
  }

  #fail(number: number, problem: string, sink: RowSink): void {
    if (this.#makeRow === undefined) throw this.#badHeader(problem)
    sink.fail(new BadRow(number, problem))
  }
}
