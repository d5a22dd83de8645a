import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import Type from 'typebox'
import { command, type Outcome, topicsOf } from '../../src/channel/index.ts'
import { CommandWorld } from './command-world.ts'

const Value = Type.Object({ ms: Type.Number() })

function stateOf(outcome: Outcome<unknown>): string {
  return outcome.state === 'done' ? 'done' : `${outcome.state}: ${outcome.reason}`
}

describe('commands', () => {
  it('of durability none travel without being stored: resent until somebody is there, and effective once', async (t) => {
    const world = await CommandWorld.open()
    t.after(() => world.close())
    const Live = command('swarm.live.{agentId}.go', {
      schema: Value,
      startWithinMs: 3_000,
      completeWithinMs: 10_000,
      overlap: 'queue',
      durability: 'none',
    })
    const [spec] = topicsOf([Live])
    assert.equal(spec?.storage, 'ephemeral')
    await world.run(world.bus.open(spec!))
    await world.watch(Live.topic)
    const sender = await world.sender('tower')
    const agent = world.agent('drone-7')
    const join = async () => {
      const effects: string[] = []
      const { receiver } = await agent.join()
      receiver.handle(Live, async ({ intentId, value }) => {
        await world.clock.sleep(value.ms)
        effects.push(intentId)
        return undefined
      })
      await world.clock.settle()
      return effects
    }
    await join()
    await agent.leave()
    const sending = sender.send(Live, 'drone-7', { ms: 700 }, { intentId: 'one' })
    await world.clock.advance(1_000)
    const effects = await join()
    assert.equal(stateOf(await world.run(sending)), 'done')
    await world.clock.advance(5_000)
    assert.deepEqual(effects, ['one'])
    await agent.leave()
    const lost = await world.run(sender.send(Live, 'drone-7', { ms: 1 }, { intentId: 'lost', timeoutMs: 4_500 }))
    assert.equal(stateOf(lost), 'expired: undelivered')
    assert.deepEqual(world.errors, [])
  })
})
