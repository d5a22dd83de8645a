import assert from 'node:assert/strict'
import { command, commands, outcomeOf, readAll, textsOf } from './reading.ts'
import type { ReplicatedLogCase, ReplicatedLogWorld } from './world.ts'

const ROUNDS = 4

export const restartCases: readonly ReplicatedLogCase[] = [
  {
    name: 'after a kill the acknowledged entries are there, at the same indexes, terms and times',
    run: (world) => keepsAll(world, 'kill'),
  },
  {
    name: 'after a drain the acknowledged entries are there, at the same indexes, terms and times',
    run: (world) => keepsAll(world, 'drain'),
  },
  {
    name: 'killed at any point of many appends, it has each that was acknowledged, once, in order',
    async run(world) {
      const acknowledged: string[] = []
      const refused: string[] = []
      for (let round = 0; round < ROUNDS; round += 1) {
        const log = await world.leader()
        const calls: Array<Promise<unknown>> = []
        for (let at = 0; at < 40; at += 1) {
          const text = `${round}.${String(at).padStart(2, '0')}`
          calls.push(
            outcomeOf(log.append([command(text)])).then((outcome) => {
              if (outcome === 'ok') acknowledged.push(text)
              else if (outcome !== 'outcome-unknown') refused.push(text)
            }),
          )
          if (at === 10 * round) await calls[0]
        }
        await world.restart('kill')
        await Promise.all(calls)
      }
      const found = textsOf((await readAll(await world.leader())).entries)
      assert.deepEqual(found, [...new Set(found)].sort(), 'in order, each once')
      for (const text of acknowledged) assert.ok(found.includes(text), `${text} was acknowledged and is lost`)
      for (const text of refused) assert.ok(!found.includes(text), `${text} was refused and is there`)
      assert.ok(acknowledged.length >= ROUNDS)
    },
  },
  {
    name: 'snapshot and kept entries outlive a kill, and indexes go on behind them',
    async run(world) {
      const log = await world.leader()
      const { last } = await log.append(commands('a', 4))
      const { entries } = await readAll(log)
      const state = command(`${textsOf(entries).join()},`)
      await log.compact(last, await log.snapshots.write({ index: last, timeMs: entries.at(-1)!.timeMs }, state))
      const { last: end } = await log.append(commands('b', 2))
      await world.restart('kill')
      const again = await world.leader()
      // Where members compact each for itself, another one may lead now.
      const { snapshots, entries: kept } = await readAll(again)
      const restored = snapshots.map(async (snapshot) =>
        Buffer.concat(await Array.fromAsync(again.snapshots.read(snapshot))),
      )
      const told = (await Promise.all(restored)).join('') + textsOf(kept).join()
      assert.equal(told, 'a1,a2,a3,a4,b1,b2')
      assert.ok((await again.append([command('c')])).first > end)
    },
  },
  {
    name: 'restarted again and again it goes on at a later term, and log time does not go back',
    async run(world) {
      let before = { term: 0, last: 0 }
      for (let round = 0; round < 3; round += 1) {
        const appended = await (await world.leader()).append([command(String(round))])
        assert.ok(appended.term >= before.term && appended.first > before.last)
        before = appended
        await world.restart(round % 2 === 0 ? 'kill' : 'drain')
      }
      assert.deepEqual(textsOf((await readAll(await world.leader())).entries), ['0', '1', '2'])
    },
  },
]

async function keepsAll(world: ReplicatedLogWorld, how: 'drain' | 'kill'): Promise<void> {
  const log = await world.leader()
  for (let round = 0; round < 5; round += 1) await log.append(commands(`${round}-`, 3))
  const before = await readAll(log)
  await world.restart(how)
  const after = await readAll(await world.leader())
  assert.equal(before.entries.length, 15)
  assert.deepEqual(after.entries, before.entries)
}
