import { SkeinError } from '../../src/core/index.ts'
import type { Operation, OperationValue } from './operation.ts'

const LINE = /^(\w+) +(read|write|cas) +(\w+)(?: +([\w>]+))?(?: += +(\w+))? +@(\d+)-(\d+)(?: +(fail|unknown))?$/

/**
 * Reads a history as people write it, one call a line: `who op key value = result @call-return status`.
 *
 * ```
 * a write x 1        @0-10
 * b read  x   = 1    @5-15
 * c cas   x 1>2 = no @20-30
 * a write x 3        @40-50 unknown
 * ```
 *
 * `-` cannot be written: nothing is `nil`. `yes` and `no` answer a compare-and-set; status is `ok` unless it is said.
 */
export function parseHistory(text: string): Operation[] {
  const lines = text.split('\n').map((line) => line.trim())
  return lines.filter((line) => line !== '').map(parseLine)
}

function parseLine(line: string): Operation {
  const match = LINE.exec(line)
  if (match === null) throw new SkeinError('bad-input', `Cannot read the history: "${line}" is no call`)
  const [, client = '', op, key = '', value = 'nil', result, call, returned, status = 'ok'] = match
  const shared = {
    client,
    key,
    callNs: Number(call),
    returnNs: Number(returned),
    status: status as Operation['status'],
  }
  if (op === 'read') return { ...shared, op, value: null, result: asValue(result ?? 'nil') }
  if (op === 'write') return { ...shared, op, value: asValue(value), result: null }
  const [expected = 'nil', next = 'nil'] = value.split('>')
  return { ...shared, op: 'cas', value: [asValue(expected), asValue(next)], result: asAnswer(result) }
}

function asValue(text: string): OperationValue {
  if (text === 'nil') return null
  return /^\d+$/.test(text) ? Number(text) : text
}

function asAnswer(text: string | undefined): boolean | null {
  if (text === undefined) return null
  return text === 'yes'
}
