import assert from 'node:assert/strict'
import type { LogStatus } from '../../src/consensus/index.ts'
import { barrier, becomes, command, commands, outcomeOf, readAll, readThrough, textsOf } from './reading.ts'
import type { ReplicatedLogCase } from './world.ts'

export const lifeCases: readonly ReplicatedLogCase[] = [
  {
    name: 'the status tells who leads, in which term, and what can be read',
    async run(world) {
      const log = await world.leader()
      const { last, term } = await log.append(commands('a', 3))
      const { state, committedIndex, firstIndex, leader, failure, retainedBytes, ...rest } = log.status()
      assert.deepEqual([state, rest.term, leader?.id, failure], ['leading', term, rest.id, undefined])
      assert.ok(committedIndex >= last && firstIndex <= last && retainedBytes > 0)
      const follower = await world.follower()
      await barrier(follower)
      const there = follower.status()
      assert.deepEqual([there.state, there.leader?.id, there.term], ['following', rest.id, term])
      assert.notEqual(there.id, rest.id)
    },
  },
  {
    name: 'changes are told: the present first, then a new leader, then the end',
    async run(world) {
      const log = await world.leader()
      const told: LogStatus[] = []
      const listening = (async () => {
        for await (const status of log.changes()) told.push(status)
      })()
      await becomes('the present status is told', () => told.length > 0)
      assert.equal(told[0]!.state, 'leading')
      await world.depose()
      await becomes('the new leader is told', () => told.at(-1)!.state !== 'leading')
      await log.close()
      await listening
      assert.equal(told.at(-1)!.state, 'closed')
    },
  },
  {
    name: 'closing ends readers that wait, and what is called afterwards is refused as closed',
    async run(world) {
      const log = await world.leader()
      const { last } = await log.append([command('a')])
      const waiting = log
        .read((await barrier(log)) + 1)
        [Symbol.asyncIterator]()
        .next()
      assert.ok(last > 0)
      await log.close()
      assert.equal((await waiting).done, true)
      assert.equal(await outcomeOf(log.append([command('b')])), 'closed')
      assert.equal(await outcomeOf(log.barrier()), 'closed')
      assert.equal(log.status().state, 'closed')
    },
  },
  {
    name: 'closing while appends are in flight settles each of them, and the acknowledged are there afterwards',
    async run(world) {
      const log = await world.leader()
      await log.append([command('first')])
      const calls = Array.from({ length: 40 }, (_, at) => outcomeOf(log.append([command(`a${at}`)])))
      await log.close()
      const outcomes = await Promise.all(calls)
      await world.restart('kill')
      const found = textsOf((await readAll(await world.leader())).entries)
      for (const [at, outcome] of outcomes.entries()) {
        assert.ok(['ok', 'outcome-unknown', 'closed'].includes(outcome), outcome)
        if (outcome === 'ok') assert.ok(found.includes(`a${at}`), `a${at} was acknowledged and is lost`)
        if (outcome === 'closed') assert.ok(!found.includes(`a${at}`), `a${at} was refused and is there`)
      }
      assert.equal(found.filter((text) => text === 'first').length, 1)
    },
  },
  {
    name: 'draining finishes what was accepted, and refuses what comes later',
    async run(world) {
      const log = await world.leader()
      const calls = Array.from({ length: 20 }, (_, at) => outcomeOf(log.append([command(`a${at}`)])))
      const draining = log.drain()
      const late = outcomeOf(log.append([command('late')]))
      await draining
      assert.deepEqual(new Set(await Promise.all(calls)), new Set(['ok']))
      assert.equal(await late, 'closed')
    },
  },
  {
    name: 'closing and draining may be repeated and mixed, from anywhere',
    async run(world) {
      const log = await world.leader()
      await log.append([command('a')])
      await Promise.all([log.drain(), log.close(), log.close(), log.drain()])
      await log.close()
      await log.drain()
      assert.equal(log.status().state, 'closed')
    },
  },
  {
    name: 'one member that is closed leaves the log to the others',
    async run(world) {
      const log = await world.leader()
      const { last } = await log.append(commands('a', 3))
      const follower = await world.follower()
      await follower.close()
      const { last: end } = await log.append([command('b')])
      assert.ok(end > last)
      assert.deepEqual(textsOf((await readThrough(log, end)).entries), ['a1', 'a2', 'a3', 'b'])
    },
  },
]
