/**
 * One call of one client on one key, as a line of a history file. Times are of one clock that all clients share, in
 * nanoseconds (or any unit: only their order counts).
 */
export interface Operation {
  /** Who called. A client's calls need not be one after the other. */
  readonly client: string
  readonly op: 'read' | 'write' | 'cas'
  readonly key: string
  /** `write`: what is written; null deletes. `cas`: `[expected, next]`. `read`: null. */
  readonly value: OperationValue | readonly [expected: OperationValue, next: OperationValue]
  /** `read`: what was read. `cas`: whether it was exchanged. `write`, and whatever is not `ok`: null. */
  readonly result: OperationValue | boolean
  readonly callNs: number
  /** When the client had its answer, or gave up. */
  readonly returnNs: number
  /** `fail`: it certainly had no effect. `unknown`: it may have had one, at any time after the call, or may yet. */
  readonly status: 'ok' | 'fail' | 'unknown'
}

/** What a key holds. null: nothing; every key begins so. */
export type OperationValue = string | number | null
