import { findOrder } from './find-order.ts'
import { intervalsOfKey, keyValueModel } from './key-value-model.ts'
import type { Operation } from './operation.ts'

export interface LinearizabilityVerdict {
  readonly isLinearizable: boolean
  readonly operations: number
  readonly keys: number
  /** The first key whose calls no order explains, and the call at which the best attempt ended. */
  readonly violation?: { readonly key: string; readonly stuckAt: Operation; readonly message: string }
}

/**
 * Whether a history of a map could have come from one copy, used by one caller at a time (Herlihy and Wing, 1990).
 * Linearizability is local: keys are checked each for itself. Some 100,000 calls are checked in about a second.
 *
 * @example
 * checkLinearizability([
 *   { client: 'a', op: 'write', key: 'x', value: 1, result: null, callNs: 0, returnNs: 10, status: 'ok' },
 *   { client: 'b', op: 'read', key: 'x', value: null, result: null, callNs: 20, returnNs: 30, status: 'ok' },
 * ]).isLinearizable // false: the write was over when the read began
 *
 * @throws SkeinError `overloaded` when too many calls overlap to decide
 */
export function checkLinearizability(history: readonly Operation[]): LinearizabilityVerdict {
  const byKey = Map.groupBy(history, ({ key }) => key)
  const counted = { operations: history.length, keys: byKey.size }
  for (const [key, operations] of byKey) {
    const intervals = intervalsOfKey(operations)
    const found = findOrder(keyValueModel, intervals)
    if (found.isLinearizable) continue
    const stuckAt = intervals[found.stuckAt]!.call
    return { isLinearizable: false, ...counted, violation: { key, stuckAt, message: describe(stuckAt, found.placed) } }
  }
  return { isLinearizable: true, ...counted }
}

function describe({ client, op, key, value, result, callNs, returnNs }: Operation, placed: number): string {
  const asked = op === 'read' ? `read ${key}` : `${op} ${key} ${JSON.stringify(value)}`
  const answer = op === 'write' ? 'done' : JSON.stringify(result)
  return `No order explains "${asked}" → ${answer} by ${client}, ${callNs}–${returnNs} ns: ${placed} calls on this key could be put in order before it`
}
