import { SkeinError } from '../../core/index.ts'
import { BadRow, type Columns } from './columns.ts'
import { CsvLines } from './csv-lines.ts'
import { jsonRowMaker } from './json-rows.ts'
import { type BrokenLine, readLines } from './lines.ts'
import { type RowBlock, RowSink } from './row-sink.ts'

/**
 * Reads rows from the bytes of a CSV file with a header, or of JSON lines: a file whose first character is `{` is JSON.
 * Throws `bad-input` when the header does not have the columns asked for, or when there is nothing in it.
 */
export async function* readRows(chunks: AsyncIterable<Uint8Array>, columns: Columns): AsyncGenerator<RowBlock> {
  let parser: LineParser | undefined
  for await (const block of readLines(chunks)) {
    const sink = new RowSink()
    for (let index = 0; index < block.lines.length; index += 1) {
      const line = block.lines[index]!
      if (parser === undefined && line === '') continue
      parser ??= parserFor(line, columns)
      parser.take(line, block.firstNumber + index, sink)
    }
    yield sink.block()
  }
  if (parser === undefined) throw new SkeinError('bad-input', 'Cannot replay the file: it is empty')
  const sink = new RowSink()
  parser.finish(sink)
  yield sink.block()
}

interface LineParser {
  /** Adds the row, or the bad row, that the line gives, if any. */
  take(line: string | BrokenLine, number: number, sink: RowSink): void
  /** Adds what is left when nothing more comes. */
  finish(sink: RowSink): void
}

function parserFor(first: string | BrokenLine, columns: Columns): LineParser {
  if (typeof first !== 'string') throw badHeader(first.problem)
  return first.trimStart().startsWith('{') ? jsonParser(columns) : new CsvLines(columns, badHeader)
}

function jsonParser(columns: Columns): LineParser {
  const makeRow = jsonRowMaker(columns)
  return {
    take(line, number, sink) {
      if (typeof line !== 'string') return sink.fail(new BadRow(number, line.problem))
      if (line.trim() === '') return
      try {
        sink.add(makeRow(line, number))
      } catch (error) {
        if (!(error instanceof BadRow)) throw error
        sink.fail(error)
      }
    },
    finish: () => {},
  }
}

function badHeader(problem: string): SkeinError {
  return new SkeinError('bad-input', `Cannot replay the file: in its first line, ${problem}`)
}
