/** Commands on a bus that does not address by subject: the node reads the topic and hands them out. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import Type from 'typebox'
import { keyedBus } from '../../test/keyed-bus.ts'
import { until } from '../../test/until.ts'
import { openEmbeddedBus } from '../bus/drivers/embedded/index.ts'
import type { Bus } from '../bus/index.ts'
import { Channels, type CommandSender, openCommandSender } from '../channel/index.ts'
import { memoryDisk, steadyClock } from '../core/index.ts'
import { systemClock, systemRandom } from '../core/system/index.ts'
import type { FabricAgent } from './fabric-agent.ts'
import { hostNodeServices, type NodeServices } from './host-node-services.ts'
import { command } from './index.ts'
import { joinAgent } from './join-agent.ts'
import { Reconnections } from './reconnections.ts'

const clock = steadyClock(systemClock)
const random = systemRandom

const MoveTo = command('swarm.commands.{agentId}.move-to', {
  schema: Type.Object({ to: Type.Number() }),
  reply: Type.Object({ at: Type.Number() }),
  startWithinMs: 5_000,
  overlap: 'queue',
  partitions: 3,
})
const Land = command('swarm.commands.{agentId}.land', {
  schema: Type.Object({}),
  startWithinMs: 300,
  overlap: 'queue',
  partitions: 3,
})

/** Counts the readers of the topic of commands. */
class Counted {
  readonly bus: Bus
  readers = 0

  constructor(bus: Bus) {
    const keyed = keyedBus(bus)
    this.bus = {
      ...keyed,
      reader: (topic, options) => {
        if (topic === MoveTo.topic) this.readers += 1
        return keyed.reader(topic, options)
      },
    }
  }
}

interface World {
  readonly counted: Counted
  readonly sender: CommandSender
  /** A node, beside the one that is there or after it. */
  host(): Promise<NodeServices>
  join(id: string): Promise<FabricAgent>
}

async function world(test: TestContext): Promise<World> {
  const embedded = await openEmbeddedBus({ disk: memoryDisk(), clock, random, directory: 'data' })
  const counted = new Counted(embedded)
  const { bus } = counted
  const host = () => hostNodeServices({ bus, clock, random, durability: 'none' })
  const node = await host()
  const channels = new Channels({ bus, clock, random, source: 'test', safe: 'none' })
  await channels.open([MoveTo, Land])
  await node.watch(MoveTo.topic)
  const { roster, nodeTime } = node
  const sender = await openCommandSender({ bus, clock, random, roster, nodeTime, sender: 'test', durability: 'none' })
  const onError = (error: unknown) => assert.fail(error as Error)
  const machine = { clock, random, disk: memoryDisk() }
  const open = (opened: Parameters<typeof channels.open>[0]) => channels.open(opened)
  const agents: FabricAgent[] = []
  test.after(async () => {
    await Promise.all(agents.map((agent) => agent.close()))
    await sender.close()
    await node.close()
    await bus.close()
  })
  return {
    ...{ counted, sender, host },
    join: async (id) => {
      const parts = { bus, machine, channels, open, reconnections: new Reconnections(), onError }
      const agent = await joinAgent(parts, { id, type: 'rover', region: 'north' })
      agents.push(agent)
      return agent
    },
  }
}

describe('Commands on a broker that does not address by subject', () => {
  it('reach their agents in order and once, and the topic has one reader for all of them', async (test) => {
    const { counted, sender, join } = await world(test)
    const ran = new Map<string, number[]>()
    const ids = Array.from({ length: 20 }, (_, index) => `rover-${index}`)
    for (const id of ids) {
      const agent = await join(id)
      ran.set(id, [])
      agent.handle(MoveTo, ({ value }) => {
        ran.get(id)!.push(value.to)
        return { at: value.to }
      })
    }
    const outcomes = await Promise.all(ids.flatMap((id) => [1, 2, 3].map((to) => sender.send(MoveTo, id, { to }))))
    assert.deepEqual(new Set(outcomes.map(({ state }) => state)), new Set(['done']))
    for (const id of ids) assert.deepEqual(ran.get(id), [1, 2, 3], id)
    const wide = await sender.send(MoveTo, ids, { to: 4 })
    assert.deepEqual(new Set(wide.map(({ state }) => state)), new Set(['done']))
    assert.equal(counted.readers, 1)
  })

  it('wait for an agent that is away, and a repeat has no effect', async (test) => {
    const { sender, join } = await world(test)
    let effects = 0
    const first = await join('rover-1')
    await first.leave()
    const waiting = sender.send(MoveTo, 'rover-1', { to: 9 }, { intentId: 'the-one' })
    const again = await join('rover-1')
    again.handle(MoveTo, ({ value }) => {
      effects += 1
      return { at: value.to }
    })
    assert.equal((await waiting).state, 'done')
    const repeated = await sender.send(MoveTo, 'rover-1', { to: 9 }, { intentId: 'the-one' })
    assert.deepEqual([repeated.state, effects], ['done', 1])
  })

  it('expire where nobody took them in time', async (test) => {
    const { sender, join } = await world(test)
    const agent = await join('rover-1')
    await agent.leave()
    const outcome = await sender.send(Land, 'rover-1', {})
    assert.equal(outcome.state, 'expired')
  })

  it('are handed out by the node that takes over, where the one before had not', async (test) => {
    const { sender, join, host } = await world(test)
    const agent = await join('rover-1')
    let effects = 0
    const gate = Promise.withResolvers<void>()
    agent.handle(MoveTo, async ({ value }) => {
      effects += 1
      await gate.promise
      return { at: value.to }
    })
    const outcomes = [sender.send(MoveTo, 'rover-1', { to: 1 }), sender.send(MoveTo, 'rover-1', { to: 2 })]
    await until(() => effects === 1)
    const successor = await host()
    test.after(() => successor.close())
    gate.resolve()
    assert.deepEqual(
      (await Promise.all(outcomes)).map(({ state }) => state),
      ['done', 'done'],
    )
    assert.equal(effects, 2)
  })
})
