import { compilePattern, nearest, SkeinError, type SubjectPattern } from '../../core/index.ts'

/** Which columns of a file mean what. */
export interface Columns {
  /** Its cell is the message key: order is kept per key. */
  readonly key: string
  /** Seconds since the start of the recording; undefined when nobody asks for the time. */
  readonly time: string | undefined
  /** Its fields are columns; its static prefix is the topic. */
  readonly subject: SubjectPattern
  /** Columns whose cells become JSON numbers. */
  readonly numbers: ReadonlySet<string>
  /** Those of them that somebody named, and which the file must have; the defaults are there or not. */
  readonly numbersNamed: readonly string[]
}

/** What the recorded flights have, and so what `skein replay` takes when no flag says otherwise. */
export const FLIGHT_COLUMNS = {
  key: 'agent_id',
  time: 't_s',
  subject: 'swarm.telemetry.{region}.{agent_id}',
  numbers: [
    't_s',
    'recorded_at_ms',
    'latitude',
    'longitude',
    'altitude_m',
    'speed_mps',
    'heading_deg',
    'climb_mps',
  ] as readonly string[],
}

export function compileColumns(options: {
  readonly key: string
  readonly time: string | undefined
  readonly subject: string
  readonly numbers: readonly string[]
}): Columns {
  return {
    key: options.key,
    time: options.time,
    subject: compilePattern(options.subject),
    numbers: new Set(options.numbers),
    numbersNamed: options.numbers === FLIGHT_COLUMNS.numbers ? [] : options.numbers,
  }
}

/** One row ready to be published. */
export interface Row {
  /** In the file, from 1. */
  readonly line: number
  readonly key: string
  readonly subject: string
  /** Compact JSON of the columns in file order, empty cells left out. */
  readonly payload: string
  /** Seconds; 0 when no time was asked for. */
  readonly timeS: number
}

/** A row that cannot be published. */
export class BadRow extends Error {
  readonly line: number

  constructor(line: number, problem: string, options?: ErrorOptions) {
    super(problem, options)
    this.line = line
  }
}

/** The index of each column that is needed, checked once against the file's header. Throws `bad-input`. */
export function locateColumns(header: readonly string[], columns: Columns) {
  const locate = (name: string, what: string) => {
    const index = header.indexOf(name)
    if (index === -1) throw noColumn(name, what, header)
    return index
  }
  const repeated = header.find((name, index) => header.indexOf(name) !== index)
  if (repeated !== undefined) {
    throw new SkeinError('bad-input', `Cannot replay the file: its header names the column "${repeated}" twice`)
  }
  for (const name of columns.numbersNamed) locate(name, NUMBERS)
  return {
    key: locate(columns.key, 'key (--key)'),
    time: columns.time === undefined ? undefined : locate(columns.time, 'time (--time, or use --speed max)'),
    fields: columns.subject.fields.map((field) => locate(field, 'subject (--subject)')),
  }
}

const NUMBERS = 'numbers (--numbers)'

/**
 * JSON has no header, and a row may leave out what it does not know: only a column that is nearly one of the first
 * row's, and not one itself, is taken for a slip. Throws `bad-input`.
 */
export function checkNumbers(names: readonly string[], columns: Columns): void {
  const others = names.filter((name) => !columns.numbers.has(name))
  const slip = columns.numbersNamed.find((name) => !names.includes(name) && nearest(name, others) !== undefined)
  if (slip !== undefined) throw noColumn(slip, NUMBERS, others)
}

function noColumn(name: string, what: string, names: readonly string[]): SkeinError {
  const near = nearest(name, names)
  const hint = near === undefined ? `the file has ${names.join(', ')}` : `did you mean "${near}"?`
  return new SkeinError('bad-input', `Cannot replay the file: it has no column "${name}" for the ${what}; ${hint}`, {
    details: { column: name, nearest: near },
  })
}

const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/

/** The number a cell says, in decimal notation only: what JavaScript also reads (hex, blanks, infinities) is a mistake here. */
export function cellNumber(cell: string): number | undefined {
  if (!DECIMAL.test(cell)) return undefined
  const value = Number(cell)
  return Number.isFinite(value) ? value : undefined
}
