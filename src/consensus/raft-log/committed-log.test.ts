import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Entry } from '../../raft/index.ts'
import type { SnapshotRef } from '../snapshot-ref.ts'
import { CommittedLog } from './committed-log.ts'

const snapshotAt = (index: number) => ({ index, name: `at-${index}`, timeMs: 0 }) as SnapshotRef

/** Entry 1 has one byte, entry 2 two, and so on. */
function logOf(count: number): CommittedLog {
  const log = new CommittedLog(undefined, [])
  const entries = Array.from({ length: count }, (_, at): Entry => {
    return { index: at + 1, term: 1, kind: 'command', data: new Uint8Array(at + 1) }
  })
  log.add(entries)
  return log
}

test('bytes that are held are those behind the compacted end, whether little goes or much', () => {
  for (let through = 0; through <= 10; through += 1) {
    const log = logOf(10)
    log.compact(through, snapshotAt(10))
    assert.deepEqual([log.bytes, log.firstIndex], [55 - (through * (through + 1)) / 2, through + 1])
  }
})
