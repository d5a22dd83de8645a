import assert from 'node:assert/strict'
import type { ReplicatedLog, SnapshotRef } from '../../src/consensus/index.ts'
import { checkedEnd, command, commands, readAll, readThrough, textsOf } from './reading.ts'
import type { ReplicatedLogCase } from './world.ts'

/** A snapshot of what is in the log through an entry: here the texts of its commands. */
async function snapshotAt(log: ReplicatedLog, index: number): Promise<SnapshotRef> {
  const { entries } = await readThrough(log, index)
  const covered = entries.filter((entry) => entry.index <= index)
  return log.snapshots.write({ index, timeMs: covered.at(-1)!.timeMs }, command(textsOf(covered).join()))
}

async function stateOf(log: ReplicatedLog, snapshot: SnapshotRef): Promise<string> {
  return Buffer.concat(await Array.fromAsync(log.snapshots.read(snapshot))).toString()
}

export const snapshotCases: readonly ReplicatedLogCase[] = [
  {
    name: 'after a compaction a reader from the beginning is given the snapshot and what follows it',
    async run(world) {
      const log = await world.leader()
      const { last } = await log.append(commands('a', 4))
      const snapshot = await snapshotAt(log, last)
      await log.compact(last, snapshot)
      await log.append(commands('b', 2))
      const { entries, snapshots } = await readAll(log)
      assert.deepEqual(snapshots, [snapshot])
      assert.deepEqual(textsOf(entries), ['b1', 'b2'])
      assert.equal(await stateOf(log, snapshot), 'a1,a2,a3,a4')
      const { firstIndex, snapshot: newest } = log.status()
      assert.deepEqual([firstIndex, newest], [last + 1, snapshot])
    },
  },
  {
    name: 'a reader that asked to fail where its place was compacted rejects with position-gone and the snapshot',
    async run(world) {
      const log = await world.leader()
      const { last } = await log.append(commands('a', 3))
      const snapshot = await snapshotAt(log, last)
      await log.compact(last, snapshot)
      const reading = readThrough(log, last, { from: 1, onCompacted: 'fail' })
      await assert.rejects(reading, { code: 'position-gone', snapshot })
      const { last: end } = await log.append([command('b')])
      assert.deepEqual(textsOf((await readThrough(log, end, { from: last + 1, onCompacted: 'fail' })).entries), ['b'])
    },
  },
  {
    name: 'entries kept behind the snapshot are still given to whoever asks for them',
    async run(world) {
      const log = await world.leader()
      const { last } = await log.append(commands('a', 6))
      const { entries } = await readThrough(log, last)
      const through = entries[2]!.index
      await log.compact(through, await snapshotAt(log, last))
      const kept = await readThrough(log, last, { from: entries[3]!.index })
      assert.deepEqual([kept.snapshots, textsOf(kept.entries)], [[], ['a4', 'a5', 'a6']])
      const gone = await readThrough(log, last, { from: through })
      assert.deepEqual([gone.snapshots.length, gone.entries.length], [1, 0])
    },
  },
  {
    name: 'a reader that lags behind a compaction is given the snapshot, and then everything behind it',
    async run(world) {
      const log = await world.leader()
      await log.append([command('first')])
      const slow = log.read(0)[Symbol.asyncIterator]()
      const first = await slow.next()
      assert.ok(first.done !== true)
      let reached = checkedEnd(first.value, 0)
      const { last } = await log.append(commands('a', 20))
      const snapshot = await snapshotAt(log, last)
      await log.compact(last, snapshot)
      const { last: end } = await log.append(commands('b', 3))
      const found: string[] = []
      while (reached < end) {
        const { value, done } = await slow.next()
        assert.ok(done !== true)
        reached = checkedEnd(value, reached)
        if ('snapshot' in value) found.push(...(await stateOf(log, value.snapshot)).split(','))
        else found.push(...textsOf(value.entries))
      }
      await slow.return?.()
      // What was fetched before the compaction may still come as entries; the snapshot tells the beginning again.
      const expected = [...commandsText('a', 20), ...commandsText('b', 3)]
      assert.deepEqual(found.slice(-3), expected.slice(-3))
      for (const text of expected)
        assert.ok(found.includes(text), `${text} was given neither as an entry nor in a snapshot`)
    },
  },
  {
    name: 'a compaction beyond its snapshot, or for a snapshot beyond what is committed, is a bad-argument and lets nothing go',
    async run(world) {
      const log = await world.leader()
      const { last } = await log.append(commands('a', 3))
      const snapshot = await snapshotAt(log, last)
      await assert.rejects(log.compact(last + 1, snapshot), { code: 'bad-argument' })
      const beyond = await log.snapshots.write({ index: last + 1_000_000, timeMs: 1 }, command('lie'))
      await assert.rejects(log.compact(last, beyond), { code: 'bad-argument' })
      assert.equal((await readAll(log)).entries.length, 3)
    },
  },
  {
    name: 'a compaction for a snapshot that is not there rejects and lets nothing go',
    async run(world) {
      const log = await world.leader()
      const { last } = await log.append(commands('a', 3))
      const snapshot = await snapshotAt(log, last)
      const missing = { ...snapshot, name: `${snapshot.name}-elsewhere` }
      await assert.rejects(log.compact(last, missing), { code: 'not-found' })
      const { entries, snapshots } = await readAll(log)
      assert.deepEqual([entries.length, snapshots.length], [3, 0])
    },
  },
  {
    name: 'a repeated compaction and one for an older snapshot change nothing; a newer one deletes the older snapshot',
    async run(world) {
      const log = await world.leader()
      const { last: one } = await log.append(commands('a', 2))
      const older = await snapshotAt(log, one)
      const { last: two } = await log.append(commands('b', 2))
      const newer = await snapshotAt(log, two)
      await log.compact(two, newer)
      await log.compact(two, newer)
      await log.compact(one, older)
      assert.deepEqual((await readAll(log)).snapshots, [newer])
      assert.equal(await stateOf(log, newer), 'a1,a2,b1,b2')
      await assert.rejects(stateOf(log, older), { code: 'not-found' })
    },
  },
  {
    name: 'after a compaction appends, barriers and readers at every member go on as before',
    async run(world) {
      const log = await world.leader()
      for (let round = 0; round < 3; round += 1) {
        const { last } = await log.append(commands(`${round}-`, 5))
        await log.compact(last, await snapshotOf(log, last))
      }
      const { last } = await log.append([command('end')])
      const here = await readThrough(log, last)
      assert.deepEqual(textsOf(here.entries), ['end'])
      const follower = await world.follower()
      const there = await readAll(follower)
      assert.equal(textsOf(there.entries).at(-1), 'end')
      assert.ok((await (await world.depose()).append([command('more')])).first > last)
    },
  },
]

/** Whatever was compacted before: the state does not matter here. */
async function snapshotOf(log: ReplicatedLog, index: number): Promise<SnapshotRef> {
  const { entries } = await readThrough(log, index)
  return log.snapshots.write({ index, timeMs: entries.at(-1)!.timeMs }, command('state'))
}

function commandsText(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, at) => `${name}${at + 1}`)
}
