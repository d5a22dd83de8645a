import { SkeinError } from '../../core/index.ts'
import { BadRow, type Columns, type Row } from './columns.ts'
import { splitCsvRecord } from './csv.ts'
import { csvRowMaker } from './csv-rows.ts'
import { jsonRowMaker } from './json-rows.ts'
import { type BrokenLine, readLines } from './lines.ts'

/** The longest CSV record with line ends inside quotes. */
const RECORD_CHARACTERS_MAX = 1024 * 1024

const UNCLOSED = 'a quote that opens in it is never closed'

/** What a piece of a file holds: its good rows, and those that cannot be published. */
export interface RowBlock {
  readonly rows: readonly Row[]
  readonly bad: readonly BadRow[]
  /** How many of the rows stand before the first bad one; all of them when there is none. */
  readonly rowsBeforeBad: number
}

/**
 * Reads rows from the bytes of a CSV file with a header, or of JSON lines: a file whose first character is `{` is JSON.
 * Throws `bad-input` when the header does not have the columns asked for, or when there is nothing in it.
 */
export async function* readRows(chunks: AsyncIterable<Uint8Array>, columns: Columns): AsyncGenerator<RowBlock> {
  let parser: LineParser | undefined
  for await (const block of readLines(chunks)) {
    const rows: Row[] = []
    const bad: BadRow[] = []
    let rowsBeforeBad: number | undefined
    for (let index = 0; index < block.lines.length; index += 1) {
      const line = block.lines[index]!
      if (parser === undefined && line === '') continue
      parser ??= parserFor(line, columns)
      collect(parser, line, block.firstNumber + index, rows, bad)
      if (bad.length > 0) rowsBeforeBad ??= rows.length
    }
    yield { rows, bad, rowsBeforeBad: rowsBeforeBad ?? rows.length }
  }
  if (parser === undefined) throw new SkeinError('bad-input', 'Cannot replay the file: it is empty')
  const last = parser.finish()
  if (last) yield { rows: [], bad: [last], rowsBeforeBad: 0 }
}

interface LineParser {
  /** A row, or undefined where the line gives none. Throws `BadRow`. */
  take(line: string, number: number): Row | undefined
  finish(): BadRow | undefined
}

function collect(parser: LineParser, line: string | BrokenLine, number: number, rows: Row[], bad: BadRow[]): void {
  if (typeof line !== 'string') {
    bad.push(new BadRow(number, line.problem))
    return
  }
  try {
    const row = parser.take(line, number)
    if (row) rows.push(row)
  } catch (error) {
    if (!(error instanceof BadRow)) throw error
    bad.push(error)
  }
}

function parserFor(first: string | BrokenLine, columns: Columns): LineParser {
  if (typeof first !== 'string') throw badHeader(first.problem)
  return first.trimStart().startsWith('{') ? jsonParser(columns) : csvParser(columns)
}

function jsonParser(columns: Columns): LineParser {
  const makeRow = jsonRowMaker(columns)
  return {
    take: (line, number) => (line.trim() === '' ? undefined : makeRow(line, number)),
    finish: () => undefined,
  }
}

function csvParser(columns: Columns): LineParser {
  let makeRow: ReturnType<typeof csvRowMaker> | undefined
  let open: { text: string; line: number } | undefined
  return {
    take(line, number) {
      if (line === '' && open === undefined) return undefined
      const text = open === undefined ? line : `${open.text}\n${line}`
      const firstLine = open?.line ?? number
      // A line without a quote cannot close what is open: no need to go through the record again.
      const record = open !== undefined && !line.includes('"') ? 'open' : splitCsvRecord(text)
      open = record === 'open' && text.length <= RECORD_CHARACTERS_MAX ? { text, line: firstLine } : undefined
      if (open) return undefined
      const problem = record === 'open' ? UNCLOSED : 'problem' in record ? record.problem : undefined
      if (problem !== undefined) throw makeRow ? new BadRow(firstLine, problem) : badHeader(problem)
      if (makeRow !== undefined) return makeRow(record as readonly string[], firstLine)
      makeRow = csvRowMaker(record as readonly string[], columns)
      return undefined
    },
    finish() {
      if (open === undefined) return undefined
      if (makeRow === undefined) throw badHeader(UNCLOSED)
      return new BadRow(open.line, UNCLOSED)
    },
  }
}

function badHeader(problem: string): SkeinError {
  return new SkeinError('bad-input', `Cannot replay the file: in its first line, ${problem}`)
}
