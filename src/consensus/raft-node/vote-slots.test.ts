import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedDisk, seededRandom } from '../../../testing/index.ts'
import { VoteSlots } from './vote-slots.ts'

const PATH = 'votes'

async function made(seed = 1): Promise<{ readonly disk: SimulatedDisk; readonly slots: VoteSlots }> {
  const disk = new SimulatedDisk({ random: seededRandom(seed) })
  const slots = await VoteSlots.create(disk, PATH, { term: 1, vote: 0 })
  await disk.syncDirectory('')
  return { disk, slots }
}

test('A vote that was stored survives power loss at any call of the next one, which is then stored or not', async () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    for (let call = 1; call <= 4; call += 1) {
      const { disk, slots } = await made(seed)
      await slots.write({ term: 5, vote: 2 })
      disk.failPowerAt(call)
      await slots.write({ term: 6, vote: 3 }).catch(() => undefined)
      if (!disk.isOff) disk.losePower()
      disk.restart()
      const { vote } = await VoteSlots.open(disk, PATH)
      assert.ok([5, 6].includes(vote.term) && vote.vote === vote.term - 3, `seed ${seed}, call ${call}: ${vote.term}`)
    }
  }
})

test('write() rejects when a sync fails, and nothing may be said that relies on it', async () => {
  for (const nth of [1, 2]) {
    const { disk, slots } = await made()
    disk.fail({ call: 'fdatasync', nth, errno: 'EIO' })
    await assert.rejects(slots.write({ term: 2, vote: 1 }), { code: 'io-failed' })
    assert.equal(slots.vote.term, 1)
  }
})
