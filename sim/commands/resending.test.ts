import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import Type from 'typebox'
import { type Bus, type Message, type Receipt, WriteError, type Writer } from '../../src/bus/index.ts'
import { type CommandSender, command, type Outcome } from '../../src/channel/index.ts'
import { CommandWorld } from './command-world.ts'

const Value = Type.Object({ ms: Type.Number() })
const Go = command('swarm.commands.{agentId}.go', {
  schema: Value,
  startWithinMs: 300_000,
  completeWithinMs: 300_000,
  overlap: 'parallel',
})

/** What goes wrong between the sender and the bus. */
interface Trouble {
  /** Takes the place of a write of commands; `nth` counts from 1. */
  readonly write?: (batch: readonly Message[], nth: number, writer: Writer) => Promise<Receipt>
  /** No outcome is ever heard. */
  readonly isDeaf?: boolean
}

function troubledBus(bus: Bus, trouble: Trouble): Bus {
  const { write } = trouble
  let nth = 0
  const troubled = (writer: Writer): Writer => ({
    write(batch) {
      nth += 1
      return write === undefined ? writer.write(batch) : write(batch, nth, writer)
    },
    get full() {
      return writer.full
    },
    drained: (options) => writer.drained(options),
    drain: () => writer.drain(),
    close: () => writer.close(),
  })
  return {
    name: bus.name,
    open: (topic) => bus.open(topic),
    writer: (topic, options) =>
      topic === 'swarm.commands' ? troubled(bus.writer(topic, options)) : bus.writer(topic, options),
    reader: (topic, options) =>
      topic === 'skein.outcomes' && trouble.isDeaf === true
        ? bus.reader(topic, { ...options, subjects: ['skein.outcomes.nobody'] })
        : bus.reader(topic, options),
    requests: bus.requests,
    admin: bus.admin,
    drain: () => bus.drain(),
    close: () => bus.close(),
  }
}

async function open(t: TestContext, trouble: Trouble = {}) {
  const world = await CommandWorld.open({ senderBus: (bus) => troubledBus(bus, trouble) })
  t.after(() => world.close())
  const effects: string[] = []
  const { receiver } = await world.agent('drone-7').join()
  receiver.handle(Go, async ({ intentId, value }) => {
    await world.clock.sleep(value.ms)
    effects.push(intentId)
  })
  await world.clock.settle()
  return { world, effects, sender: await world.sender('tower') }
}

function send(sender: CommandSender, ms: number): Promise<Outcome<unknown>> {
  return sender.send(Go, 'drone-7', { ms }, { intentId: 'one' })
}

async function recordsOf(world: CommandWorld): Promise<number> {
  const { partitions } = await world.run(world.bus.admin.describeTopic('swarm.commands'))
  return partitions.reduce((sum, { start, end }) => sum + end.sequence - start.sequence, 0)
}

const receipt: Receipt = {
  positions: [],
  accepted: 1,
  duplicates: [],
  conflated: [],
  durability: 'none',
  asserted: false,
}

describe('a command that waits for its outcome', () => {
  it('is written once when that was acknowledged, however long it runs', async (t) => {
    const { world, effects, sender } = await open(t)
    const outcome = await world.run(send(sender, 200_000), 250_000)
    assert.equal(outcome.state, 'done')
    assert.deepEqual(effects, ['one'])
    assert.equal(await recordsOf(world), 1)
  })

  it('is written again when the node has lost it although its write was acknowledged', async (t) => {
    const { world, effects, sender } = await open(t, {
      write: async (batch, nth, writer) => (nth === 1 ? receipt : writer.write(batch)),
    })
    const outcome = await world.run(send(sender, 10), 30_000)
    assert.equal(outcome.state, 'done')
    assert.deepEqual(effects, ['one'])
    assert.equal(await recordsOf(world), 1)
  })

  for (const isStored of [true, false]) {
    it(`is written again when the result of its write is unknown and it was ${isStored ? '' : 'not '}stored`, async (t) => {
      const { world, effects, sender } = await open(t, {
        async write(batch, nth, writer) {
          if (nth > 1) return writer.write(batch)
          if (isStored) await writer.write(batch)
          throw new WriteError('Cannot say whether it was stored', { accepted: [], unknown: [0], retryable: true })
        },
      })
      const outcome = await world.run(send(sender, 8_000), 60_000)
      assert.equal(outcome.state, 'done')
      assert.deepEqual(effects, ['one'])
      assert.equal(await recordsOf(world), isStored ? 2 : 1)
    })
  }

  it('is found by asking when the report of its outcome is lost on the way', async (t) => {
    const { world, effects, sender } = await open(t, { isDeaf: true })
    const outcome = await world.run(send(sender, 10), 10_000)
    assert.equal(outcome.state, 'done')
    assert.deepEqual(effects, ['one'])
    assert.equal(await recordsOf(world), 1)
  })

  it('is written again where no node can be asked', async (t) => {
    const { world, effects, sender } = await open(t, {
      write: async (batch, nth, writer) => {
        if (nth > 1) return writer.write(batch)
        await world.stopServices()
        return receipt
      },
    })
    const outcome = await world.run(send(sender, 10), 30_000)
    assert.equal(outcome.state, 'done')
    assert.deepEqual(effects, ['one'])
  })
})
