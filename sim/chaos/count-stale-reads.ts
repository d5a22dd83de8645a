import type { Operation, OperationValue } from '../../testing/index.ts'

interface Write {
  readonly callNs: number
  readonly returnNs: number
}

/** What a key holds before anybody has written. */
const BEGINNING: Write = { callNs: -1, returnNs: -1 }

/**
 * How many reads gave a value that had been overwritten before they began: somebody had already been told of a write that
 * began when that value was there for certain. Fewer than what a search for an order finds, but each beyond doubt, and told
 * apart from other faults. Values that were written more than once are passed over.
 */
export function countStaleReads(history: readonly Operation[]): number {
  let stale = 0
  for (const operations of Map.groupBy(history, ({ key }) => key).values()) stale += countOfKey(operations)
  return stale
}

function countOfKey(operations: readonly Operation[]): number {
  const sources = new Map<OperationValue, Write | undefined>([[null, BEGINNING]])
  const writes: Write[] = []
  for (const operation of operations) {
    const written = writtenBy(operation)
    if (written === undefined) continue
    const isTold = operation.status === 'ok'
    if (isTold) writes.push(operation)
    // Which of several a read met cannot be told, nor when one came whose writer was never told.
    sources.set(written, isTold && !sources.has(written) ? operation : undefined)
  }
  const byReturn = writes.sort((left, right) => left.returnNs - right.returnNs)
  // Of all that were over by then, the one that began last.
  const latestCallNs: number[] = []
  for (const { callNs } of byReturn) latestCallNs.push(Math.max(callNs, latestCallNs.at(-1) ?? 0))
  const reads = operations.filter(({ op, status }) => op === 'read' && status === 'ok')
  return reads.filter((read) => {
    const source = sources.get(read.result as OperationValue)
    if (source === undefined) return false
    const over = byReturn.findLastIndex(({ returnNs }) => returnNs < read.callNs)
    return over >= 0 && latestCallNs[over]! > source.returnNs
  }).length
}

function writtenBy({ op, value, result, status }: Operation): OperationValue | undefined {
  if (status === 'fail' || op === 'read' || result === false) return undefined
  return op === 'write' ? (value as OperationValue) : (value as readonly OperationValue[])[1]!
}
