import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedClock, SimulatedDisk, SimulatedStreams, seededRandom } from '../../../testing/index.ts'
import { openRaftLog, type RaftLogOptions } from './open-raft-log.ts'

const ALONE = [{ id: 1, address: 'm1:1' }]

function make() {
  const clock = new SimulatedClock()
  const disk = new SimulatedDisk()
  const streams = new SimulatedStreams({ clock, random: seededRandom(1) })
  const open = (options: Partial<Record<keyof RaftLogOptions, unknown>> = {}) =>
    clock.until(
      openRaftLog({
        ...{ clock, disk, random: seededRandom(2), network: streams.network('m1'), directory: 'raft' },
        ...{ cluster: 'test', id: 1, listen: 'm1:1', bootstrap: ALONE },
        ...(options as Partial<RaftLogOptions>),
      }),
    )
  return { clock, disk, open }
}

test('A member that could not take part is refused before anything is made', async () => {
  const { disk, open } = make()
  const foolish: ReadonlyArray<Partial<Record<keyof RaftLogOptions, unknown>>> = [
    { cluster: '' },
    { cluster: undefined },
    { id: 0 },
    { id: '1' },
    { listen: 'nowhere' },
    { listen: 'm1:99999' },
    { advertise: 'nowhere' },
    { bootstrap: [] },
    { bootstrap: [{ id: 2, address: 'm2:1' }] },
    { bootstrap: [...ALONE, ...ALONE] },
    { bootstrap: [...ALONE, { id: -2, address: 'm2:1' }] },
    { bootstrap: [...ALONE, { id: 2, address: 'nowhere' }] },
    { bootstrap: [{ id: 1 }] },
    { addresses: [{ id: 2, address: 'nowhere' }] },
    { heartbeatMs: Number.NaN },
    { electionTimeoutMs: 100 },
    { commandBytesMax: 0 },
    { retainedBytesMax: Number.NaN },
  ]
  for (const options of foolish) await assert.rejects(open(options), { code: 'bad-argument' }, JSON.stringify(options))
  assert.equal(disk.totalCalls, 0)
})

test('What is no command is refused and stored nowhere, and a foolish compaction ends nobody', async () => {
  const { clock, open } = make()
  const log = await open()
  await clock.advanceUntil(() => log.status().state === 'leading')
  const { committedIndex } = log.status()
  const foolish: readonly unknown[] = [undefined, 'text', ['text'], [null], [new Uint16Array(2)], [[1, 2]], []]
  for (const given of foolish) {
    await assert.rejects(log.append(given as Uint8Array[]), { code: 'bad-argument' }, String(given))
  }
  assert.equal(log.status().committedIndex, committedIndex)
  const { last } = await clock.until(log.append([Buffer.from('kept')]))
  const snapshot = await log.snapshots.write({ index: last, timeMs: 1 }, new Uint8Array(3))
  for (const through of [Number.NaN, 1.5, last + 1, undefined, '1']) {
    await assert.rejects(log.compact(through as number, snapshot), { code: 'bad-argument' }, String(through))
  }
  for (const index of [Number.NaN, last + 1, undefined]) {
    await assert.rejects(log.compact(1, { ...snapshot, index: index as number }), { code: 'bad-argument' })
  }
  await assert.rejects(log.compact(1, { ...snapshot, index: last - 1 }), { code: 'corrupt' })
  await assert.rejects(log.compact(1, undefined as never), { code: 'bad-argument' })
  await clock.until(log.compact(last, snapshot))
  assert.equal(log.status().firstIndex, last + 1)
  assert.ok((await clock.until(log.append([Buffer.from('more')]))).last > last)
  await clock.until(log.close())
})

test('A change of members whose signal is aborted already changes nothing, as one to a foolish address', async () => {
  const { clock, open } = make()
  const log = await open()
  await clock.advanceUntil(() => log.status().state === 'leading')
  const { committedIndex } = log.status()
  const signal = AbortSignal.abort(new Error('not now'))
  const { admin } = log
  for (const changing of [
    admin.addLearner({ id: '2', address: 'm2:1' }, { signal }),
    admin.promote('1', { signal }),
    admin.remove('1', { signal }),
    admin.transfer('1', { signal }),
  ]) {
    await assert.rejects(changing, /not now/)
  }
  await assert.rejects(admin.addLearner({ id: '2', address: 'nowhere' }), { code: 'bad-argument' })
  assert.equal(log.status().committedIndex, committedIndex)
  await clock.until(log.close())
})
