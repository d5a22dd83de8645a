import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { delegate } from '../../../testing/bus/delegate.ts'
import { inboxStoreSuite, SimulatedClock, SimulatedDisk, seededRandom } from '../../../testing/index.ts'
import { openEmbeddedBus } from '../../bus/drivers/embedded/index.ts'
import type { Bus } from '../../bus/index.ts'
import type { AgentRecord } from '../ports.ts'
import type { InboxStore } from './inbox-store.ts'
import { type NodeInbox, openNodeInbox } from './node-inbox.ts'
import { requestedInbox } from './requested-inbox.ts'

/** A node that can lose its power, and an agent without a disk that asks it. */
async function openHeldInbox(options: {
  readonly rowsMax: number
  readonly graceMs: number
  /** Reads of the node's inbox that a slow broker answers with nothing. */
  readonly silentReads?: number
}) {
  const clock = new SimulatedClock()
  const random = seededRandom(5)
  const disk = new SimulatedDisk({ random })
  let bus: Bus | undefined
  let node: NodeInbox | undefined
  let inbox: InboxStore | undefined
  const joined = new Map<string, AgentRecord>()
  const roster = { ready: async () => {}, get: (agentId: string) => joined.get(agentId), select: () => [] }
  const finish = async <T>(promise: Promise<T>): Promise<T> => {
    let isDone = false
    const watched = promise.finally(() => {
      isDone = true
    })
    watched.catch(() => {})
    await clock.advanceUntil(() => isDone, { stepMs: 1 })
    return watched
  }
  const startNode = async () => {
    bus = await openEmbeddedBus({ disk, clock, random, directory: 'data' })
    node = await openNodeInbox({
      bus: silentAtFirst(bus, options.silentReads ?? 0),
      clock,
      roster,
      durability: 'durable',
      ...options,
    })
  }
  return {
    clock,
    node: () => node!,
    bus: () => bus!,
    /** The roster has the agent under this epoch from now on; nothing has been asked under it yet. */
    join(id: string, epoch: number) {
      const record = { id, epoch, type: 'quadrotor', region: 'north', labels: {}, capabilities: [] }
      joined.set(id, { ...record, liveness: 'alive', joinedAtMs: clock.nowMs(), seenAtMs: clock.nowMs() })
    },
    async open() {
      if (node === undefined) await finish(startNode())
      inbox = requestedInbox({ bus: bus!, clock, random, timeoutMs: 500 })
      return inbox
    },
    async crash() {
      disk.losePower()
      disk.restart()
      node = undefined
    },
    advance: (durationMs: number) => clock.advance(durationMs),
    nowMs: () => clock.nowMs(),
    async dispose() {
      await finish(Promise.resolve(inbox?.close()))
      await finish(Promise.resolve(node?.close()))
      await finish(Promise.resolve(bus?.close().catch(() => {})))
    },
  }
}

/** The same bus, whose readers give nothing at first. */
function silentAtFirst(bus: Bus, reads: number): Bus {
  if (reads === 0) return bus
  return delegate(bus, {
    reader(topic, options) {
      const reader = bus.reader(topic, options)
      let left = reads
      return delegate(reader, {
        read: (limits) => {
          left -= 1
          return left >= 0 ? Promise.resolve(null) : reader.read(limits)
        },
      })
    },
  })
}

inboxStoreSuite('held by a node that loses its power', openHeldInbox)

describe('openNodeInbox()', () => {
  const request = {
    ...{ intentId: 'one', agentId: 'drone-7', epoch: 5, sentEpoch: 5, held: false, incarnation: 'first' },
    ...{ bodyHash: 'hash', sender: 'tower', type: 'move', idempotent: false },
  }

  it('withdraws only what was never claimed, and then nobody can claim it', async (t) => {
    const world = await openHeldInbox({ rowsMax: 100, graceMs: 10_000 })
    t.after(() => world.dispose())
    const inbox = await world.open()
    const deadlineMs = world.nowMs() + 60_000
    const expired = { state: 'expired', reason: 'undelivered', message: 'away', atMs: 0 } as const
    await inbox.claim({ ...request, deadlineMs })
    const withdrawn = { ...request, deadlineMs, incarnation: 'withdrawn', outcome: expired }
    assert.equal(await world.node().inbox.withdraw(withdrawn), undefined)
    const other = await world.node().inbox.withdraw({ ...withdrawn, intentId: 'other' })
    assert.equal(other?.state, 'expired')
    const claim = await inbox.claim({ ...request, intentId: 'other', deadlineMs })
    assert.equal(claim.kind === 'seen' && claim.outcome.reason, 'undelivered')
    const settled = await inbox.settle({ ...request, deadlineMs, outcome: { state: 'done', atMs: 0 } })
    assert.equal(settled.state, 'done')
  })

  it('gives an older epoch nothing from the moment a newer one has joined', async (t) => {
    const world = await openHeldInbox({ rowsMax: 100, graceMs: 10_000 })
    t.after(() => world.dispose())
    const inbox = await world.open()
    const claim = { ...request, deadlineMs: world.nowMs() + 60_000 }
    await inbox.recover(claim)
    await inbox.claim(claim)
    world.join('drone-7', 6)
    await assert.rejects(inbox.claim({ ...claim, intentId: 'two' }), { code: 'fenced' })
    await assert.rejects(inbox.settle({ ...claim, outcome: { state: 'done', atMs: 0 } }), { code: 'fenced' })
    await assert.rejects(inbox.recover(claim), { code: 'fenced' })
    const newer = { ...claim, intentId: 'two', epoch: 6, sentEpoch: 6, incarnation: 'second' }
    assert.equal((await inbox.claim(newer)).kind, 'claimed')
  })

  it('is not restored in part by a broker that is silent for a while', async (t) => {
    const world = await openHeldInbox({ rowsMax: 100, graceMs: 10_000, silentReads: 3 })
    t.after(() => world.dispose())
    const claim = { ...request, deadlineMs: world.nowMs() + 60_000 }
    const inbox = await world.open()
    await inbox.claim(claim)
    await inbox.settle({ ...claim, outcome: { state: 'done', atMs: 0 } })
    await world.crash()
    const again = await world.open()
    const seen = await again.claim({ ...claim, incarnation: 'second' })
    assert.equal(seen.kind === 'seen' && seen.outcome.state, 'done')
  })

  it('answers a malformed question with its error', async (t) => {
    const world = await openHeldInbox({ rowsMax: 100, graceMs: 10_000 })
    t.after(() => world.dispose())
    await world.open()
    for (const value of ['no json', '{"agentId":"a"}']) {
      const reply = await world.bus().requests.ask({ subject: 'skein.inbox.claim', value }, { timeoutMs: 1_000 })
      const text = typeof reply.value === 'string' ? reply.value : Buffer.from(reply.value).toString()
      assert.equal(JSON.parse(text).error.code, 'corrupt')
    }
  })
})
