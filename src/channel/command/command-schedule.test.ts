import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { CommandSchedule } from './command-schedule.ts'
import type { Overlap } from './definition.ts'

interface Item {
  readonly id: number
  readonly overlap: Overlap
}

function scheduleOf(overlaps: readonly Overlap[], parallelMax = 2) {
  const schedule = new CommandSchedule<Item>({ parallelMax })
  const items = overlaps.map((overlap, id): Item => ({ id, overlap }))
  for (const item of items) schedule.arrive(item)
  return { schedule, items }
}

function claimNext(schedule: CommandSchedule<Item>) {
  const next = schedule.next()
  if (next === undefined) return undefined
  return { ...next, replaced: schedule.claimed(next) }
}

describe('CommandSchedule', () => {
  it('lets a queued command wait until the running one has ended', () => {
    const { schedule, items } = scheduleOf(['queue', 'queue'])
    assert.equal(claimNext(schedule)?.item, items[0])
    assert.equal(schedule.next(), undefined)
    schedule.ended(items[0]!)
    assert.equal(claimNext(schedule)?.item, items[1])
  })

  it('gives a replacing command the place of the running one once it is claimed, not before', () => {
    const { schedule, items } = scheduleOf(['queue', 'replace'])
    claimNext(schedule)
    const next = schedule.next()
    assert.equal(next?.item, items[1])
    assert.deepEqual(schedule.running, [items[0]])
    assert.equal(schedule.claimed(next!), items[0])
    assert.deepEqual(schedule.running, [items[1]])
    schedule.ended(items[0]!)
    assert.deepEqual(schedule.running, [items[1]])
  })

  it('lets a replacing command pass those queued before it, and says that it makes them pointless', () => {
    const { schedule, items } = scheduleOf(['queue', 'queue', 'parallel', 'queue', 'replace', 'queue'])
    claimNext(schedule)
    const next = claimNext(schedule)
    assert.equal(next?.item, items[4])
    assert.deepEqual(next?.replaces, [items[1], items[3]])
    assert.equal(next?.replaced, items[0])
    assert.deepEqual(schedule.waiting, [items[2], items[5]])
  })

  it('keeps those it would have replaced when the claim is not made', () => {
    const { schedule, items } = scheduleOf(['queue', 'queue', 'replace'])
    claimNext(schedule)
    const next = schedule.next()
    assert.deepEqual(next?.replaces, [items[1]])
    schedule.notClaimed(next!)
    assert.deepEqual(schedule.waiting, [items[1]])
    assert.deepEqual(schedule.running, [items[0]])
  })

  it('runs parallel commands beside each other and beside the others, up to the bound', () => {
    const { schedule, items } = scheduleOf(['queue', 'parallel', 'parallel', 'parallel'])
    for (let count = 0; count < 3; count += 1) claimNext(schedule)
    assert.deepEqual(schedule.running, items.slice(0, 3))
    assert.equal(schedule.next(), undefined)
    schedule.ended(items[1]!)
    assert.equal(claimNext(schedule)?.item, items[3])
  })

  it('makes claims of parallel commands together, up to the bound, and no other claim beside them', () => {
    const { schedule, items } = scheduleOf(['parallel', 'parallel', 'parallel', 'queue'], 2)
    const [first, second] = [schedule.next(), schedule.next()]
    assert.deepEqual([first?.item, second?.item], items.slice(0, 2))
    assert.equal(schedule.next(), undefined, 'two are claimed, which is the bound')
    schedule.notClaimed(first!)
    const third = schedule.next()
    assert.equal(third?.item, items[2])
    schedule.claimed(second!)
    assert.equal(schedule.next(), undefined, 'a claim is being made')
    schedule.notClaimed(third!)
    assert.equal(schedule.next()?.item, items[3])
  })

  it('makes no claim beside one that is not of a parallel command', () => {
    const { schedule } = scheduleOf(['queue', 'parallel', 'replace'])
    const claim = schedule.next()
    assert.equal(schedule.next(), undefined)
    schedule.claimed(claim!)
    assert.ok(schedule.next())
  })

  it('claims in the order of arrival, runs one exclusive command at a time and loses none, whatever happens', () => {
    const overlap = fc.constantFrom<Overlap>('queue', 'replace', 'parallel')
    const event = fc.oneof(
      fc.record({ kind: fc.constant('arrive' as const), overlap }),
      fc.record({ kind: fc.constant('next' as const), result: fc.constantFrom('claimed', 'refused') }),
      fc.record({ kind: fc.constant('end' as const), pick: fc.nat() }),
      fc.record({ kind: fc.constant('expire' as const), pick: fc.nat() }),
    )
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), fc.integer({ min: 1, max: 3 }), (events, parallelMax) => {
        const schedule = new CommandSchedule<Item>({ parallelMax })
        const exclusive = new Set<Item>()
        const parallel = new Set<Item>()
        let arrived = 0
        let over = 0
        let lastClaimed = -1
        for (const step of events) {
          if (step.kind === 'arrive') {
            schedule.arrive({ id: arrived, overlap: step.overlap })
            arrived += 1
          } else if (step.kind === 'next') {
            const head = schedule.waiting[0]
            const next = schedule.next()
            if (next === undefined) continue
            const { item, replaces } = next
            // It is the first, or it passes the first because it replaces.
            assert.ok(item === head || item.overlap === 'replace')
            if (item.overlap !== 'replace') assert.ok(item.id > lastClaimed || item.overlap === 'parallel')
            if (step.result === 'refused') {
              schedule.notClaimed(next)
              over += 1
              continue
            }
            const replaced = schedule.claimed(next)
            over += replaces.length
            assert.ok(replaces.every((each) => each.overlap === 'queue' && each.id < item.id))
            if (replaced !== undefined) {
              assert.equal(item.overlap, 'replace')
              assert.ok(exclusive.delete(replaced))
              over += 1
            }
            if (item.overlap === 'parallel') parallel.add(item)
            else {
              assert.ok(item.id > lastClaimed, 'exclusive commands start in the order they came')
              lastClaimed = item.id
              exclusive.add(item)
            }
          } else if (step.kind === 'end') {
            const running = [...exclusive, ...parallel]
            const item = running[step.pick % Math.max(1, running.length)]
            if (item === undefined) continue
            schedule.ended(item)
            exclusive.delete(item)
            parallel.delete(item)
            over += 1
          } else {
            const item = schedule.waiting[step.pick % Math.max(1, schedule.waiting.length)]
            if (item !== undefined && schedule.withdraw(item)) over += 1
          }
          assert.ok(exclusive.size <= 1 && parallel.size <= parallelMax)
          assert.deepEqual(new Set(schedule.running), new Set([...exclusive, ...parallel]))
          assert.equal(over + schedule.running.length + schedule.waiting.length, arrived)
        }
      }),
      { numRuns: 300 },
    )
  })
})
