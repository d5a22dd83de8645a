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
    // The first claim begins a segment; what fails below is the sync of a claim itself.
    await inbox.claim({ ...claim, intentId: 'before' })
    disk.fail({ call: 'fdatasync', nth: 1, errno: 'EIO' })
    await assert.rejects(inbox.claim(claim))
    disk.restart()
    const again = await open(disk, clock)
    const restarted = { ...claim, epoch: 6, sentEpoch: 6, incarnation: 'second' }
    assert.notEqual((await again.claim(restarted)).kind, 'conflict')
    await again.close()
  })

  it('has a claim and an outcome on the disk before it says so, whenever the power fails', async () => {
    for (let seed = 1; seed <= 40; seed += 1) {
      const clock = new SimulatedClock()
      const disk = new SimulatedDisk({ random: seededRandom(seed) })
      const claim = { ...request, deadlineMs: clock.nowMs() + 60_000 }
      const restarted = { ...claim, epoch: 6, incarnation: 'second' }
      const first = await open(disk, clock)
      await first.claim({ ...claim, intentId: 'before' })
      await first.claim(claim)
      if (seed % 2 === 0) await first.settle({ ...claim, outcome: { state: 'done', atMs: 0 } })
      disk.losePower()
      disk.restart()
      const second = await open(disk, clock)
      const result = await second.claim(restarted)
      assert.equal(result.kind === 'seen' && result.outcome.state, seed % 2 === 0 ? 'done' : 'unknown', `seed ${seed}`)
      await second.close()
    }
  })

  it('does not run what it has forgotten when node time goes back, in this session and the next', async () => {
    const clock = new SimulatedClock()
    const disk = new SimulatedDisk()
    let backMs = 0
    const inbox = await open(disk, clock, () => clock.nowMs() - backMs)
    const claim = { ...request, deadlineMs: clock.nowMs() + 1_000 }
    await inbox.claim(claim)
    await inbox.settle({ ...claim, outcome: { state: 'done', atMs: 0 } })
    await clock.advance(600_000)
    const other = { ...request, intentId: 'other', deadlineMs: clock.nowMs() + 1_000 }
    await inbox.claim(other)
    backMs = 600_000
    const forgotten = await inbox.claim({ ...claim, epoch: 6, sentEpoch: 6, incarnation: 'second' })
    assert.equal(forgotten.kind === 'seen' && forgotten.outcome.state, 'expired')
    await inbox.close()
    const again = await open(disk, clock, () => clock.nowMs() - backMs)
    const unseen = { ...claim, intentId: 'unseen', epoch: 7, sentEpoch: 7, incarnation: 'third' }
    const late = await again.claim(unseen)
    assert.equal(late.kind === 'seen' && late.outcome.state, 'expired')
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

  it('begins its log anew while claims go on, and forgets none of them', async () => {
    const clock = new SimulatedClock()
    const disk = new SimulatedDisk()
    const inbox = await open(disk, clock)
    const deadlineMs = clock.nowMs() + 3_600_000
    const kept: Array<typeof request & { readonly deadlineMs: number }> = []
    let isOver = false
    let allowed = 0
    const keepClaiming = async () => {
      while (!isOver) {
        if (kept.length >= allowed) {
          await new Promise((resolve) => setImmediate(resolve))
          continue
        }
        const claim = { ...request, intentId: `kept-${kept.length}`, deadlineMs }
        await inbox.claim(claim)
        kept.push(claim)
      }
    }
    const keeping = keepClaiming()
    for (let round = 0; round < 30; round += 1) {
      allowed += 100
      const claims = Array.from({ length: 500 }, (_, index) => ({
        ...{ ...request, intentId: `${round}-${index}` },
        deadlineMs: clock.nowMs() + 10,
      }))
      await Promise.all(claims.map((claim) => inbox.claim(claim)))
      await Promise.all(claims.map((claim) => inbox.settle({ ...claim, outcome: { state: 'done', atMs: 0 } })))
      await clock.advance(120_000)
    }
    isOver = true
    await keeping
    disk.kill()
    disk.restart()
    const again = await open(disk, clock)
    for (const claim of kept) {
      const result = await again.claim({ ...claim, epoch: 6, incarnation: 'second' })
      assert.equal(result.kind === 'seen' && result.outcome.state, 'unknown', claim.intentId)
    }
    await again.close()
  })
})
