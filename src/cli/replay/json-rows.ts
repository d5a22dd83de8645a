import { nearest } from '../../core/index.ts'
import { BadRow, type Columns, cellNumber, checkNumbers, type Row } from './columns.ts'

/**
 * Makes a row of each line of JSON by the rules of a CSV row: null and "" are empty cells, numeric columns become
 * numbers. Throws `bad-input` for columns that nobody can have meant, `BadRow` for a row.
 */
export function jsonRowMaker(columns: Columns) {
  let isChecked = false
  return (text: string, line: number): Row => {
    const object = parseObject(text, line)
    if (!isChecked) checkNumbers(Object.keys(object), columns)
    isChecked = true
    return rowOf(object, columns, line)
  }
}

function rowOf(object: Readonly<Record<string, unknown>>, columns: Columns, line: number): Row {
  let payload = ''
  for (const [name, value] of Object.entries(object)) {
    if (value === null || value === '') continue
    payload += `${payload === '' ? '{' : ','}${JSON.stringify(name)}:`
    payload += columns.numbers.has(name) ? numberText(value, name, line) : JSON.stringify(value)
  }
  const key = plainCell(object, columns.key, line)
  return {
    line,
    key,
    subject: subject(object, columns, line),
    payload: payload === '' ? '{}' : `${payload}}`,
    timeS: columns.time === undefined ? 0 : Number(numberText(object[columns.time], columns.time, line)),
  }
}

function parseObject(text: string, line: number): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new BadRow(line, `it is no JSON: ${(error as Error).message}`, { cause: error })
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new BadRow(line, 'it is JSON, but no object')
}

function subject(object: Readonly<Record<string, unknown>>, columns: Columns, line: number): string {
  const values = columns.subject.fields.map((field) => plainCell(object, field, line))
  try {
    return columns.subject.fill(values)
  } catch (error) {
    throw new BadRow(line, (error as Error).message, { cause: error })
  }
}

function plainCell(object: Readonly<Record<string, unknown>>, name: string, line: number): string {
  const value = Object.hasOwn(object, name) ? object[name] : undefined
  if (typeof value === 'string' && value !== '') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  const near = value === undefined ? nearest(name, Object.keys(object)) : undefined
  const hint = near === undefined ? '' : `; did you mean "${near}"?`
  throw new BadRow(line, `its column "${name}" is ${value === undefined ? 'missing' : 'no text'}${hint}`)
}

function numberText(value: unknown, name: string, line: number): string {
  const number = typeof value === 'string' ? cellNumber(value) : value
  if (typeof number !== 'number' || !Number.isFinite(number)) {
    throw new BadRow(line, `its column "${name}" is no number: ${JSON.stringify(value) ?? 'missing'}`)
  }
  return String(number)
}
