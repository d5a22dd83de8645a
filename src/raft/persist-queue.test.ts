import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Entry } from './entry.ts'
import { PersistQueue } from './persist-queue.ts'
import { RaftLog } from './raft-log.ts'
import type { PersistToken } from './ready.ts'

const at = (index: number) => ({ term: 1, vote: 0, index, entryTerm: 1 })

test('a completion counts when those before it are done, and then counts for all', () => {
  const queue = new PersistQueue()
  const [first, second, third] = [queue.push(at(1)), queue.push(at(2)), queue.push(at(3))]
  assert.equal(queue.done(second!), undefined)
  assert.equal(queue.done(third!), undefined)
  assert.deepEqual(queue.done(first!), { stable: 3, term: 1, vote: 0 })
  assert.equal(queue.isEmpty, true)
})

test('a completion is reported once, and only to the node that handed it out', () => {
  const queue = new PersistQueue()
  const token = queue.push(at(1))
  assert.throws(() => new PersistQueue().done(token), /not in flight/)
  queue.done(token)
  assert.throws(() => queue.done(token), /not in flight/)
})

test('what was cut off since it was written is not proven, even when it came back', () => {
  const queue = new PersistQueue()
  const first = queue.push(at(5))
  queue.truncated(2)
  const second = queue.push(at(5))
  assert.equal(queue.done(first)!.stable, 2)
  assert.equal(queue.done(second)!.stable, 5)
})

/** One leader after the other rewrites the end of the log, while writes are done late. */
test('what is called stable is on the disk, in every state the disk may still be found in', () => {
  const event = fc.oneof(
    fc.record({ keep: fc.nat({ max: 8 }), add: fc.integer({ min: 1, max: 3 }), term: fc.integer({ min: 1, max: 2 }) }),
    fc.constant('hand out' as const),
    fc.constant('done' as const),
  )
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40 }), (events) => {
      const log = new RaftLog({})
      const queue = new PersistQueue()
      const inFlight: Array<{ token: PersistToken; entries: readonly Entry[] }> = []
      let disk: Entry[] = []
      for (const each of events) {
        if (each === 'hand out') {
          const { entries } = log.takeUnhanded()
          inFlight.push({ token: queue.push({ ...at(log.lastIndex), entryTerm: log.lastTerm }), entries })
        } else if (each === 'done') {
          const write = inFlight.shift()
          if (write === undefined) continue
          disk = written(disk, write.entries)
          log.stableThrough(queue.done(write.token)!.stable)
        } else rewrite(log, queue, each)
        let later = disk
        for (const write of [{ entries: [] }, ...inFlight]) {
          later = written(later, write.entries)
          for (let index = 1; index <= log.stable; index += 1) assert.equal(later[index - 1]?.term, log.term(index))
        }
      }
    }),
    { numRuns: 1_000 },
  )
})

function written(disk: readonly Entry[], entries: readonly Entry[]): Entry[] {
  const first = entries[0]?.index ?? Number.POSITIVE_INFINITY
  return [...disk.filter(({ index }) => index < first), ...entries]
}

function rewrite(log: RaftLog, queue: PersistQueue, change: { keep: number; add: number; term: number }): void {
  const prev = Math.min(change.keep, log.lastIndex)
  const term = Math.max(change.term, log.term(prev) ?? 0)
  const entries = Array.from({ length: change.add }, (_, offset) => {
    return { index: prev + 1 + offset, term, kind: 'empty', data: new Uint8Array(0) } as const
  })
  const cut = log.merge(entries)
  if (cut !== undefined) queue.truncated(cut)
}
