import assert from 'node:assert/strict'
import type { LogEntry } from '../../src/consensus/index.ts'
import { barrier, checkedEnd, command, commands, readAll, readThrough, textsOf } from './reading.ts'
import type { ReplicatedLogCase } from './world.ts'

export const readCases: readonly ReplicatedLogCase[] = [
  {
    name: 'a reader waits for what is appended later, and is given it',
    async run(world) {
      const log = await world.leader()
      await log.append([command('a')])
      const found: LogEntry[] = []
      const reading = (async () => {
        let reached = 0
        for await (const read of log.read(0)) {
          reached = checkedEnd(read, reached)
          if ('entries' in read) found.push(...read.entries)
          if (found.length >= 4) break
        }
      })()
      await log.append([command('b')])
      await log.append(commands('c', 2))
      await reading
      assert.deepEqual(textsOf(found), ['a', 'b', 'c1', 'c2'])
    },
  },
  {
    name: 'a read from an index gives what stands there and behind it, and nothing before',
    async run(world) {
      const log = await world.leader()
      const { last } = await log.append(commands('a', 6))
      const { entries } = await readThrough(log, last)
      for (const at of [0, 2, 5]) {
        const part = await readThrough(log, last, { from: entries[at]!.index })
        assert.deepEqual(part.entries, entries.slice(at))
      }
    },
  },
  {
    name: 'a reader that stopped goes on one past what it was given, without a gap or a repeat',
    async run(world) {
      const log = await world.leader()
      const found: string[] = []
      let next = 0
      for (let round = 0; round < 6; round += 1) {
        const { last } = await log.append(commands(`${round}-`, 2))
        const taken = await readThrough(log, last, { from: next })
        found.push(...textsOf(taken.entries))
        next = taken.through + 1
      }
      assert.deepEqual(found, textsOf((await readAll(log)).entries))
      assert.equal(found.length, 12)
    },
  },
  {
    name: 'readers go at their own pace: one that lags holds up neither appends nor others, and misses nothing',
    async run(world) {
      const log = await world.leader()
      await log.append([command('0')])
      const slow = log.read(0)[Symbol.asyncIterator]()
      const first = await slow.next()
      assert.ok(first.done !== true && 'entries' in first.value)
      const lagging = [...first.value.entries]
      let { last } = await log.append([command('1')])
      for (let at = 2; at <= 40; at += 1) last = (await log.append([command(String(at))])).last
      const quick = await readThrough(log, last)
      let reached = checkedEnd(first.value, 0)
      while (reached < last) {
        const next = await slow.next()
        assert.ok(next.done !== true && 'entries' in next.value)
        reached = checkedEnd(next.value, reached)
        lagging.push(...next.value.entries)
      }
      await slow.return?.()
      assert.deepEqual(lagging, quick.entries)
      assert.equal(quick.entries.length, 41)
    },
  },
  {
    name: 'a reader that waits rejects with the reason of its signal',
    async run(world) {
      const log = await world.leader()
      const through = await barrier(log)
      const controller = new AbortController()
      const reason = new Error('enough')
      const next = log
        .read(through + 1, { signal: controller.signal })
        [Symbol.asyncIterator]()
        .next()
      setImmediate(() => controller.abort(reason))
      await assert.rejects(next, reason)
      const aborted = log
        .read(0, { signal: AbortSignal.abort(reason) })
        [Symbol.asyncIterator]()
        .next()
      await assert.rejects(aborted, reason)
    },
  },
  {
    name: 'a read from a place that cannot be is a bad-argument',
    async run(world) {
      const log = await world.leader()
      for (const from of [-1, 0.5, Number.NaN]) {
        await assert.rejects(async () => {
          for await (const _ of log.read(from)) break
        }, /bad-argument|whole number/)
      }
    },
  },
  {
    name: 'a barrier reaches everything that was acknowledged before it, here and at another member',
    async run(world) {
      const log = await world.leader()
      const follower = await world.follower()
      for (let round = 0; round < 8; round += 1) {
        const { last } = await log.append(commands(`${round}-`, 2))
        for (const member of [follower, log]) {
          const through = await barrier(member)
          assert.ok(through >= last, `the barrier is at ${through}, entry ${last} was acknowledged`)
          assert.equal((await readThrough(member, through)).entries.length, 2 * (round + 1))
        }
      }
    },
  },
  {
    name: 'a barrier of an empty log can be reached, and is never beyond what a reader can be given',
    async run(world) {
      const log = await world.leader()
      const through = await log.barrier()
      assert.deepEqual((await readThrough(log, through)).entries, [])
      assert.ok(log.status().committedIndex >= through)
    },
  },
  {
    name: 'barriers that are asked for together are all answered, each behind what came before it',
    async run(world) {
      const log = await world.leader()
      const asked: Array<Promise<void>> = []
      for (let at = 0; at < 20; at += 1) {
        const { last } = await log.append([command(String(at))])
        asked.push(log.barrier().then((through) => assert.ok(through >= last)))
      }
      await Promise.all(asked)
    },
  },
  {
    name: 'a barrier whose signal is aborted rejects with its reason',
    async run(world) {
      const log = await world.leader()
      const reason = new Error('not now')
      await assert.rejects(log.barrier({ signal: AbortSignal.abort(reason) }), reason)
      assert.ok((await log.barrier()) >= 0)
    },
  },
  {
    name: 'after a change of leaders a barrier sees what the old leader acknowledged',
    async run(world) {
      const { last } = await (await world.leader()).append(commands('a', 3))
      const leader = await world.depose()
      const through = await barrier(leader)
      assert.ok(through >= last)
      assert.deepEqual(textsOf((await readThrough(leader, through)).entries), ['a1', 'a2', 'a3'])
    },
  },
]
