import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inboxStoreSuite, SimulatedClock, SimulatedDisk, seededRandom } from '../../../testing/index.ts'
import type { InboxStore } from './inbox-store.ts'
import { openLocalInbox } from './local-inbox.ts'

const DIRECTORY = 'state/inbox'

inboxStoreSuite('on a local disk that loses its power', async ({ rowsMax, graceMs }) => {
  const clock = new SimulatedClock()
  const disk = new SimulatedDisk({ random: seededRandom(3) })
  const nodeTime = { latestMs: () => clock.nowMs(), earliestMs: () => clock.nowMs() }
  let inbox: InboxStore | undefined
  return {
    async open() {
      inbox = await openLocalInbox({ disk, clock, nodeTime, directory: DIRECTORY, rowsMax, graceMs })
      return inbox
    },
    async crash() {
      disk.losePower()
      disk.restart()
    },
    advance: (durationMs) => clock.advance(durationMs),
    nowMs: () => clock.nowMs(),
    dispose: async () => inbox?.close(),
  }
})

describe('openLocalInbox()', () => {
  const request = {
    intentId: 'intent-1',
    agentId: 'drone-7',
    ...{ epoch: 5, sentEpoch: 5, held: false, incarnation: 'first', bodyHash: 'hash', sender: 'tower', type: 'move' },
    idempotent: false,
  }

  function open(disk: SimulatedDisk, clock: SimulatedClock, latestMs: () => number | undefined = () => clock.nowMs()) {
    const nodeTime = { latestMs, earliestMs: latestMs }
    return openLocalInbox({ disk, clock, nodeTime, directory: DIRECTORY })
  }

  it('takes a command for expired while it has no bounded estimate of node time', async () => {
    const clock = new SimulatedClock()
    const inbox = await open(new SimulatedDisk(), clock, () => undefined)
    const result = await inbox.claim({ ...request, deadlineMs: clock.nowMs() + 60_000 })
    assert.equal(result.kind === 'seen' && result.outcome.state, 'expired')
    await inbox.close()
  })

  it('rejects a claim that the disk does not take, and decides nothing by it', async () => {
    const clock = new SimulatedClock()
    const disk = new SimulatedDisk()
    const inbox = await open(disk, clock)
    const claim = { ...request, deadlineMs: clock.nowMs() + 60_000 }
    disk.fail({ call: 'fdatasync', nth: 1, errno: 'EIO' })
    await assert.rejects(inbox.claim(claim))
    disk.losePower()
    disk.restart()
    const again = await open(disk, clock)
    assert.equal(
      (await again.claim({ ...claim, epoch: 6, sentEpoch: 6, incarnation: 'second' })).kind !== 'conflict',
      true,
    )
    await again.close()
  })

  it('refuses a directory that another process has', async () => {
    const clock = new SimulatedClock()
    const disk = new SimulatedDisk()
    const inbox = await open(disk, clock)
    await assert.rejects(open(disk, clock), { code: 'locked' })
    await inbox.close()
    await (await open(disk, clock)).close()
  })

  it('stays bounded on disk: what is forgotten leaves the log, what is remembered stays', async () => {
    const clock = new SimulatedClock()
    const disk = new SimulatedDisk()
    const inbox = await open(disk, clock)
    const count = 12_000
    const deadlineMs = clock.nowMs() + 3_600_000
    const kept = { ...request, intentId: 'kept', deadlineMs }
    await inbox.claim(kept)
    for (let index = 0; index < count; index += 500) {
      const batch = Array.from({ length: 500 }, (_, offset) => `intent-${index + offset}`)
      const claims = batch.map((intentId) => ({ ...request, intentId, deadlineMs: clock.nowMs() + 10 }))
      await Promise.all(claims.map((claim) => inbox.claim(claim)))
      await Promise.all(claims.map((claim) => inbox.settle({ ...claim, outcome: { state: 'done', atMs: 0 } })))
      await clock.advance(120_000)
    }
    await inbox.close()
    const bytes = [...disk.image().values()].reduce((sum, file) => sum + file.byteLength, 0)
    assert.ok(bytes < count * 2 * 200, `${bytes} bytes for what may be forgotten`)
    const again = await open(disk, clock)
    const result = await again.claim({ ...kept, epoch: 6, incarnation: 'second' })
    assert.equal(result.kind === 'seen' && result.outcome.state, 'unknown')
    await again.close()
  })
})
