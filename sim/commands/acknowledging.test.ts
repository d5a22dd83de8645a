import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import Type from 'typebox'
import { command } from '../../src/channel/index.ts'
import { CommandWorld } from './command-world.ts'
import { watchedBus } from './watched-bus.ts'

const Value = Type.Object({ ms: Type.Number() })
const Go = command('swarm.commands.{agentId}.go', {
  schema: Value,
  startWithinMs: 60_000,
  completeWithinMs: 60_000,
  overlap: 'parallel',
})

async function open(t: TestContext) {
  const world = await CommandWorld.open()
  t.after(() => world.close())
  const agent = world.agent('drone-7')
  const given: string[] = []
  const join = async () => {
    const { receiver, clock } = await agent.join({
      wrapBus: (bus) => watchedBus(bus, ({ headers }) => given.push(headers.skeinintent!)),
    })
    receiver.handle(Go, ({ value }) => clock.sleep(value.ms))
    await world.clock.settle()
  }
  await join()
  const unacknowledged = async () => {
    const lags = await world.run(world.bus.admin.lag('swarm.commands', 'agent.drone-7'))
    return lags.reduce((sum, { messages }) => sum + messages, 0)
  }
  return { world, agent, given, join, unacknowledged, sender: await world.sender('tower') }
}

describe("an agent's commands", () => {
  it('are acknowledged when their outcomes are stored, and not given again', async (t) => {
    const { world, agent, given, join, unacknowledged, sender } = await open(t)
    const ids = ['one', 'two', 'three']
    const sent = ids.map((intentId) => sender.send(Go, 'drone-7', { ms: 50 }, { intentId }))
    for (const { state } of await world.run(Promise.all(sent))) assert.equal(state, 'done')
    await world.clock.advance(100)
    assert.equal(await unacknowledged(), 0)
    await agent.kill()
    await join()
    await world.clock.advance(1_000)
    assert.deepEqual(given, ids)
  })

  it('are reported to everyone who sent them, repeats or not', async (t) => {
    const { world, sender } = await open(t)
    const twin = await world.sender('twin')
    const sent = [sender, twin].map((each) => each.send(Go, 'drone-7', { ms: 300 }, { intentId: 'one' }))
    for (const { state } of await world.run(Promise.all(sent))) assert.equal(state, 'done')
    const subjects = (await world.outcomes()).map(({ subject }) => subject)
    assert.deepEqual(new Set(subjects), new Set(['skein.outcomes.tower', 'skein.outcomes.twin']))
  })

  it('are not acknowledged before that, nor is what came behind one that runs', async (t) => {
    const { world, agent, given, join, unacknowledged, sender } = await open(t)
    const options = { timeoutMs: 10_000 }
    const slow = sender.send(Go, 'drone-7', { ms: 5_000 }, { intentId: 'slow', ...options })
    await world.clock.advance(50)
    const quick = sender.send(Go, 'drone-7', { ms: 10 }, { intentId: 'quick', ...options })
    assert.equal((await world.run(quick)).state, 'done')
    await world.clock.advance(100)
    assert.equal(await unacknowledged(), 2)
    await agent.kill()
    await join()
    assert.equal((await world.run(slow)).state, 'unknown')
    await world.clock.advance(1_000)
    assert.deepEqual(given, ['slow', 'quick', 'slow', 'quick'])
    assert.equal(await unacknowledged(), 0)
  })
})
