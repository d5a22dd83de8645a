import type { Interval, SequentialModel } from './find-order.ts'
import type { Operation, OperationValue } from './operation.ts'

/** One key of a map: reads, writes and compare-and-set. */
export const keyValueModel: SequentialModel<OperationValue, Operation> = {
  initial: null,
  apply(held, { op, value, result, status }) {
    if (op === 'read') return held === result ? held : undefined
    if (op === 'write') return value as OperationValue
    const [expected, next] = value as readonly [OperationValue, OperationValue]
    const isExchanged = held === expected
    // Nobody knows what a call without an answer would have answered.
    if (status === 'ok' && result !== isExchanged) return undefined
    return isExchanged ? next : held
  },
  describe: (held) => JSON.stringify(held),
}

/**
 * The calls on one key as the search wants them. What failed is left out, as is a read without an answer. A write of
 * unknown outcome never ends, unless what it wrote was seen and nobody else wrote that: then it was before the end of
 * whoever saw it first. One that nobody saw can only explain why a compare-and-set was refused: it is left out where
 * there is none to explain, else all such writes are as good as each other.
 */
export function intervalsOfKey(operations: readonly Operation[]): Interval<Operation>[] {
  const writers = countWriters(operations)
  const seenAt = firstSeenAt(operations)
  const needsExplaining = operations.some((operation) => isRefused(operation, writers))
  const intervals: Interval<Operation>[] = []
  for (const call of operations) {
    if (call.status === 'ok') intervals.push({ call, calledAt: call.callNs, returnedAt: call.returnNs })
    if (call.status !== 'unknown') continue
    const written = writtenBy(call)
    if (written === undefined) continue
    const seen = written === null ? Number.POSITIVE_INFINITY : seenAt.get(written)
    if (seen !== undefined) {
      const isOnlyWriter = writers.get(written) === 1
      const returnedAt = isOnlyWriter ? Math.max(seen, call.callNs) : Number.POSITIVE_INFINITY
      intervals.push({ call, calledAt: call.callNs, returnedAt })
    } else if (needsExplaining) {
      intervals.push(unseen(call))
    }
  }
  return intervals
}

/** Whether the answer depends on what nobody saw: what nobody wrote is refused in any case. */
function isRefused({ op, value, result, status }: Operation, writers: ReadonlyMap<OperationValue, number>): boolean {
  if (op !== 'cas' || status !== 'ok' || result !== false) return false
  const expected = (value as readonly OperationValue[])[0]!
  return expected === null || writers.has(expected)
}

const UNSEEN = '\u0000unseen'

function unseen(call: Operation): Interval<Operation> {
  const shared = { calledAt: call.callNs, returnedAt: Number.POSITIVE_INFINITY }
  if (call.op === 'write') return { ...shared, call: { ...call, value: UNSEEN }, alike: UNSEEN }
  return { ...shared, call: { ...call, value: [(call.value as readonly OperationValue[])[0]!, UNSEEN] } }
}

function writtenBy({ op, value }: Operation): OperationValue | undefined {
  if (op === 'read') return undefined
  return op === 'write' ? (value as OperationValue) : (value as readonly OperationValue[])[1]!
}

function countWriters(operations: readonly Operation[]): Map<OperationValue, number> {
  const writers = new Map<OperationValue, number>()
  for (const operation of operations) {
    const written = writtenBy(operation)
    if (written === undefined || operation.status === 'fail') continue
    writers.set(written, (writers.get(written) ?? 0) + 1)
  }
  return writers
}

/** Per value the earliest end of a call that can only have met that value. */
function firstSeenAt(operations: readonly Operation[]): Map<OperationValue, number> {
  const seenAt = new Map<OperationValue, number>()
  for (const { op, value, result, returnNs, status } of operations) {
    if (status !== 'ok' && op !== 'cas') continue
    const met = metBy(op, value, result)
    if (met === undefined) continue
    // A compare-and-set without an answer may have met the value, or not: it is seen, but nobody knows when.
    const at = status === 'ok' ? returnNs : Number.POSITIVE_INFINITY
    if (status === 'ok' || status === 'unknown') seenAt.set(met, Math.min(seenAt.get(met) ?? at, at))
  }
  return seenAt
}

function metBy(
  op: Operation['op'],
  value: Operation['value'],
  result: Operation['result'],
): OperationValue | undefined {
  if (op === 'read') return result as OperationValue
  if (op === 'write' || result === false) return undefined
  return (value as readonly OperationValue[])[0]!
}
