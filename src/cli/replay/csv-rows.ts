import { BadRow, type Columns, cellNumber, locateColumns, type Row } from './columns.ts'

/** Makes rows of the cells of a CSV file with this header. Throws `bad-input` for the header, `BadRow` for a row. */
export function csvRowMaker(header: readonly string[], columns: Columns) {
  const places = locateColumns(header, columns)
  const names = header.map((name) => JSON.stringify(name))
  const numeric = header.map((name) => columns.numbers.has(name))

  return (cells: readonly string[], line: number): Row => {
    if (cells.length !== header.length) {
      throw new BadRow(line, `it has ${cells.length} cells where the header names ${header.length}`)
    }
    const key = cells[places.key]!
    if (key === '') throw new BadRow(line, `its key "${columns.key}" is empty`)
    let payload = ''
    for (let index = 0; index < cells.length; index += 1) {
      const cell = cells[index]!
      if (cell === '') continue
      payload += `${payload === '' ? '{' : ','}${names[index]}:`
      payload += numeric[index] ? numberText(cell, header[index]!, line) : JSON.stringify(cell)
    }
    return { line, key, subject: subject(cells, line), payload: `${payload}}`, timeS: time(cells, line) }
  }

  function time(cells: readonly string[], line: number): number {
    if (places.time === undefined) return 0
    const value = cellNumber(cells[places.time]!)
    if (value === undefined) throw new BadRow(line, `its time "${columns.time}" is no number: "${cells[places.time]}"`)
    return value
  }

  function subject(cells: readonly string[], line: number): string {
    try {
      return columns.subject.fill(places.fields.map((index) => cells[index]!))
    } catch (error) {
      throw new BadRow(line, (error as Error).message, { cause: error })
    }
  }
}

function numberText(cell: string, name: string, line: number): string {
  const value = cellNumber(cell)
  if (value === undefined) throw new BadRow(line, `its column "${name}" is no number: "${cell.slice(0, 40)}"`)
  return String(value)
}
