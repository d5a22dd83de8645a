import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedDisk, seededRandom } from '../../../../testing/index.ts'
import type { Disk } from '../../../core/index.ts'
import { systemClock } from '../../../core/system/index.ts'
import { openLog } from '../../../log/index.ts'
import { StateMap } from './state-map.ts'

async function open(disk: Disk): Promise<StateMap> {
  const log = await openLog({ disk, clock: systemClock, directory: 'state', lock: false, segmentBytes: 1024 * 1024 })
  return StateMap.open({ log, clock: systemClock, spacingMs: 0, lazyMs: 1_000, durability: 'durable' })
}

for (const syncTurnsMax of [0, 100]) {
  const syncs = syncTurnsMax === 0 ? '' : ', also where other calls are done while a sync takes its time'
  test(`What StateMap has flushed survives a power loss at any call while it writes all of itself again${syncs}`, () =>
    losePowerAtEveryCall(syncTurnsMax))
}

async function losePowerAtEveryCall(syncTurnsMax: number): Promise<void> {
  const value = 'x'.repeat(700_000)
  // The one with which 8 MiB have been written, and the map writes all of itself again.
  const last = 12
  for (let call = 1; call <= 40; call += 1) {
    const disk = new SimulatedDisk({ random: seededRandom(call), syncTurnsMax })
    const map = await open(disk)
    map.touch('first', () => 'kept')
    await map.flush()
    let flushed = 0
    for (let round = 1; round <= last; round += 1) {
      map.touch('large', () => `${round} ${value}`)
      if (round === last) disk.failPowerAt(call)
      const isStored = await map.flush().then(
        () => true,
        () => false,
      )
      if (!isStored) break
      flushed = round
    }
    if (!disk.isOff) disk.losePower()
    await map.close({ drain: false }).catch(() => {})
    disk.restart()
    const after = await open(disk)
    assert.equal(after.get('first'), 'kept', `power lost at call ${call}`)
    const large = Number.parseInt(String(after.get('large')), 10)
    assert.ok(large >= flushed, `power lost at call ${call}: ${flushed} was flushed, ${large} is there`)
    await after.close({ drain: false })
  }
}

test('What StateMap could not store is stored with what comes next', async () => {
  const disk = new SimulatedDisk()
  const map = await open(disk)
  map.touch('zero', () => 0)
  await map.flush()
  disk.fail({ call: 'writev', nth: 1, errno: 'ENOSPC' })
  map.touch('one', () => 1)
  await assert.rejects(map.flush(), { code: 'disk-full' })
  disk.heal()
  map.touch('two', () => 2)
  await map.flush()
  await map.close({ drain: true })
  const after = await open(disk)
  assert.deepEqual(
    ['zero', 'one', 'two'].map((key) => after.get(key)),
    [0, 1, 2],
  )
  await after.close({ drain: false })
})

test('Whoever waits for what a write under way stores is told when it fails', async () => {
  const disk = new SimulatedDisk()
  const map = await open(disk)
  map.touch('one', () => 1)
  disk.fail({ call: 'writev', nth: 1, errno: 'ENOSPC' })
  const first = map.flush()
  // The write has taken what was touched, and has not ended.
  await Promise.resolve()
  await Promise.resolve()
  const second = map.flush()
  for (const result of await Promise.allSettled([first, second])) {
    assert.equal(result.status === 'rejected' && result.reason.code, 'disk-full')
  }
  disk.heal()
  await map.close({ drain: true })
})
