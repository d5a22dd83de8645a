import assert from 'node:assert/strict'
import { barrier, command, commands, outcomeOf, readAll, readThrough, textsOf } from './reading.ts'
import type { ReplicatedLogCase } from './world.ts'

export const appendCases: readonly ReplicatedLogCase[] = [
  {
    name: 'commands are read in the order of their appends, at the indexes and in the term of their receipts',
    async run(world) {
      const log = await world.leader()
      const one = await log.append(commands('a', 3))
      const two = await log.append(commands('b', 2))
      assert.ok(one.first >= 1 && one.last >= one.first + 2 && two.first > one.last)
      const { entries } = await readThrough(log, two.last)
      assert.deepEqual(textsOf(entries), ['a1', 'a2', 'a3', 'b1', 'b2'])
      const indexes = [one, two].flatMap(({ first, last, indexes: listed }) => {
        return listed ?? Array.from({ length: last - first + 1 }, (_, at) => first + at)
      })
      assert.deepEqual(
        entries.map(({ index }) => index),
        indexes,
      )
      assert.ok(entries.every(({ term }) => term === one.term && term === two.term))
    },
  },
  {
    name: 'a receipt says what the append survives, and no more',
    async run(world) {
      const log = await world.leader()
      const { durability } = await log.append([command('a')])
      assert.equal(durability, world.durability)
    },
  },
  {
    name: 'calls that are not waited for keep their order, and the commands of one call stand together',
    async run(world) {
      const log = await world.leader()
      const calls = Array.from({ length: 30 }, (_, at) => log.append(commands(`${at}-`, 1 + (at % 4))))
      const receipts = await Promise.all(calls)
      const { entries } = await readThrough(log, receipts.at(-1)!.last)
      const expected = Array.from({ length: 30 }, (_, at) => textsOfCommands(`${at}-`, 1 + (at % 4))).flat()
      assert.deepEqual(textsOf(entries), expected)
    },
  },
  {
    name: 'every member reads the same commands at the same indexes and times',
    async run(world) {
      const log = await world.leader()
      for (let round = 0; round < 5; round += 1) await log.append(commands(`${round}-`, 3))
      const here = await readAll(log)
      const there = await readAll(await world.follower())
      assert.equal(here.entries.length, 15)
      assert.deepEqual(there.entries, here.entries)
    },
  },
  {
    name: 'the bytes of a command may be reused as soon as the call has returned',
    async run(world) {
      const log = await world.leader()
      const bytes = command('before')
      const call = log.append([bytes])
      bytes.fill(120)
      const { last } = await call
      assert.deepEqual(textsOf((await readThrough(log, last)).entries), ['before'])
    },
  },
  {
    name: 'empty commands and the largest are kept as they are',
    async run(world) {
      const log = await world.leader()
      const large = new Uint8Array(world.commandBytesMax).map((_, at) => (at * 31) % 251)
      const { last } = await log.append([new Uint8Array(0), large, command('end')])
      const { entries } = await readThrough(log, last)
      assert.deepEqual(
        entries.map(({ data }) => data.length),
        [0, large.length, 3],
      )
      assert.equal(Buffer.compare(entries[1]!.data, large), 0)
    },
  },
  {
    name: 'an append of nothing is a bad-argument, a command beyond the limit message-too-large, and nothing of the call is appended',
    async run(world) {
      const log = await world.leader()
      await assert.rejects(log.append([]), { code: 'bad-argument' })
      const tooLarge = [command('small'), new Uint8Array(world.commandBytesMax + 1)]
      await assert.rejects(log.append(tooLarge), { code: 'message-too-large' })
      await log.append([command('after')])
      assert.deepEqual(textsOf((await readAll(log)).entries), ['after'])
    },
  },
  {
    name: 'an append whose signal is aborted already rejects with its reason and appends nothing',
    async run(world) {
      const log = await world.leader()
      const reason = new Error('no longer wanted')
      await assert.rejects(log.append([command('never')], { signal: AbortSignal.abort(reason) }), reason)
      await log.append([command('after')])
      assert.deepEqual(textsOf((await readAll(log)).entries), ['after'])
    },
  },
  {
    name: 'an append that is given up under way ends as outcome-unknown, and is in the log once or not at all',
    async run(world) {
      const log = await world.leader()
      const controller = new AbortController()
      const reason = new Error('no time left')
      const call = log.append([command('perhaps')], { signal: controller.signal })
      controller.abort(reason)
      const error = await call.then(
        () => undefined,
        (caught: { readonly code?: string; readonly cause?: unknown }) => caught,
      )
      if (error !== undefined) assert.deepEqual([error.code, error.cause], ['outcome-unknown', reason])
      await log.append([command('after')])
      const texts = textsOf((await readAll(log)).entries)
      assert.ok(['after', 'perhaps,after'].includes(texts.join()), texts.join())
    },
  },
  {
    name: 'a member that does not lead refuses an append as not-leader, retryable, and appends nothing',
    async run(world) {
      const leader = await world.leader()
      const follower = await world.follower()
      await assert.rejects(follower.append([command('never')]), { code: 'not-leader', retryable: true })
      await leader.append([command('after')])
      assert.deepEqual(textsOf((await readAll(leader)).entries), ['after'])
    },
  },
  {
    name: 'what a leader had in hand when it lost its leadership is acknowledged, refused or unknown; the acknowledged is there',
    async run(world) {
      const old = await world.leader()
      const calls = Array.from({ length: 30 }, (_, at) => outcomeOf(old.append([command(`a${at}`)])))
      let isOver = false
      const deposing = world.depose().finally(() => {
        isOver = true
      })
      while (!isOver && calls.length < 2_000) {
        calls.push(outcomeOf(old.append([command(`a${calls.length}`)])))
        await new Promise((resolve) => setImmediate(resolve))
      }
      const leader = await deposing
      const late = await outcomeOf(old.append([command('late')]))
      assert.equal(late, 'not-leader')
      const outcomes = await Promise.all(calls)
      const found = textsOf((await readAll(leader)).entries)
      assert.equal(new Set(found).size, found.length, 'a command stands in the log twice')
      for (const [at, outcome] of outcomes.entries()) {
        assert.ok(['ok', 'not-leader', 'outcome-unknown'].includes(outcome), outcome)
        if (outcome === 'ok') assert.ok(found.includes(`a${at}`), `a${at} was acknowledged and is lost`)
        if (outcome === 'not-leader') assert.ok(!found.includes(`a${at}`), `a${at} was refused and is there`)
      }
    },
  },
  {
    name: 'terms rise with each leader, along the log too',
    async run(world) {
      const first = await (await world.leader()).append([command('a')])
      const second = await (await world.depose()).append([command('b')])
      const third = await (await world.depose()).append([command('c')])
      assert.ok(first.term < second.term && second.term < third.term)
      const { entries } = await readAll(await world.leader())
      assert.deepEqual(textsOf(entries), ['a', 'b', 'c'])
      assert.deepEqual(
        entries.map(({ term }) => term),
        [first.term, second.term, third.term],
      )
    },
  },
  {
    name: 'log time is that of the clock, and goes on under a new leader',
    async run(world) {
      const log = await world.leader()
      const { last } = await log.append([command('a')])
      const leader = await world.depose()
      const again = await leader.append([command('b')])
      const { entries } = await readThrough(leader, again.last)
      assert.equal(entries[0]!.index, last)
      assert.ok(entries[1]!.timeMs >= entries[0]!.timeMs && entries[0]!.timeMs > 1.6e12)
      await barrier(log)
    },
  },
]

function textsOfCommands(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, at) => `${name}${at + 1}`)
}
