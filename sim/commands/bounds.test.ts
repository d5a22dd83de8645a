import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import Type from 'typebox'
import { type CommandDefinition, type CommandSender, command, type Outcome } from '../../src/channel/index.ts'
import { CommandWorld, type JoinOptions } from './command-world.ts'
import { watchedBus } from './watched-bus.ts'

const Value = Type.Object({ text: Type.String() })
type Declared = CommandDefinition<{ text: string }, unknown>

function declare(pattern: string): Declared {
  const timings = { startWithinMs: 600_000, completeWithinMs: 600_000 }
  return command(pattern, { schema: Value, overlap: 'parallel', ...timings }) as Declared
}

const Go = declare('swarm.commands.{agentId}.go')
const Stop = declare('swarm.stops.{agentId}.stop')

/** A receiver whose handlers stall until they are let go, and what it has read by then. */
async function stalled(t: TestContext, options: JoinOptions, declared: readonly Declared[] = [Go]) {
  const world = await CommandWorld.open()
  t.after(() => world.close())
  for (const { topic: name } of declared) {
    await world.run(world.bus.open({ name, intent: 'command', durability: 'none' }))
  }
  const given: number[] = []
  const effects = new Map<string, number>()
  const gate = Promise.withResolvers<void>()
  const wrapBus: JoinOptions['wrapBus'] = (bus) => watchedBus(bus, (one) => given.push(one.value?.byteLength ?? 0))
  const agent = world.agent('drone-7')
  const join = async () => {
    const { receiver } = await agent.join({ ...options, wrapBus })
    for (const each of declared) {
      receiver.handle(each, async ({ intentId }) => {
        await gate.promise
        effects.set(intentId, (effects.get(intentId) ?? 0) + 1)
      })
    }
    await world.clock.settle()
  }
  await join()
  const bytes = () => given.reduce((sum, one) => sum + one, 0)
  return { world, given, bytes, effects, sender: await world.sender('tower'), letGo: () => gate.resolve() }
}

function flood(
  sender: CommandSender,
  count: number,
  options: { readonly text?: string; readonly declared?: readonly Declared[]; readonly prefix?: string } = {},
) {
  const { text = '', declared = [Go], prefix = 'intent' } = options
  return Array.from({ length: count }, (_, n) =>
    sender.send(declared[n % declared.length]!, 'drone-7', { text }, { intentId: `${prefix}-${n}` }),
  )
}

async function allDone(world: CommandWorld, sent: readonly Promise<Outcome<unknown>>[]): Promise<void> {
  const outcomes = await world.run(Promise.all(sent), 600_000)
  assert.deepEqual(new Set(outcomes.map(({ state }) => state)), new Set(['done']))
}

describe('a receiver whose handlers stall', () => {
  for (const declared of [[Go], [Go, Stop]]) {
    it(`reads no more commands than it may hold from ${declared.length} topics, and the rest later`, async (t) => {
      const { world, given, effects, sender, letGo } = await stalled(t, { pendingMax: 20, parallelMax: 5 }, declared)
      const sent = flood(sender, 300, { declared })
      await world.clock.advance(10_000)
      assert.ok(given.length >= 10 && given.length <= 20, `${given.length} were read`)
      letGo()

      await allDone(world, sent)
      assert.deepEqual(new Set(effects.values()), new Set([1]))
      assert.equal(effects.size, 300)
    })
  }

  it('reads no more bytes than it may hold, but for one message, and the rest later', async (t) => {
    const { world, bytes, effects, sender, letGo } = await stalled(t, { pendingBytesMax: 200_000, parallelMax: 100 })
    const sent = flood(sender, 60, { text: 'x'.repeat(30_000) })
    await world.clock.advance(10_000)
    assert.ok(bytes() >= 100_000 && bytes() <= 200_000 + 31_000, `${bytes()} bytes were read`)
    letGo()
    await allDone(world, sent)
    assert.equal(effects.size, 60)
  })

  it('has bounds although nobody set them', async (t) => {
    const many = await stalled(t, {})
    flood(many.sender, 1_200)
    await many.world.clock.advance(1_000)
    assert.ok(many.given.length <= 1_000, `${many.given.length} were read`)
    const large = await stalled(t, {})
    flood(large.sender, 6, { text: 'x'.repeat(1_000_000) })
    flood(await large.world.sender('twin'), 6, { text: 'x'.repeat(1_000_000), prefix: 'other' })
    await large.world.clock.advance(1_000)
    assert.ok(large.bytes() <= 9 * 1024 * 1024, `${large.bytes()} bytes were read`)
  })

  it('is not kept from other commands by repeats of one that runs', async (t) => {
    const { world, effects, letGo } = await stalled(t, { pendingMax: 20 })
    const senders: CommandSender[] = []
    for (let n = 0; n < 40; n += 1) senders.push(await world.sender(`twin-${n}`))
    const repeats = senders.map((each) => each.send(Go, 'drone-7', { text: '' }, { intentId: 'one' }))
    await world.clock.advance(1_000)
    const other = senders[0]!.send(Go, 'drone-7', { text: '' }, { intentId: 'other' })
    await world.clock.advance(1_000)
    letGo()
    await allDone(world, [...repeats, other])
    assert.deepEqual(Object.fromEntries(effects), { one: 1, other: 1 })
  })
})

describe('a sender whose commands are not answered', () => {
  for (const [bound, options, text] of [
    ['number', { pendingMax: 20 }, ''],
    ['bytes', { pendingBytesMax: 200_000 }, 'x'.repeat(30_000)],
    ['bytes that nobody set', {}, 'x'.repeat(1_000_000)],
  ] as const) {
    it(`refuses more than its bound on ${bound}, and takes more once there are outcomes`, async (t) => {
      const { world, letGo } = await stalled(t, {})
      const sender = await world.sender('bounded', options)
      const accepted: Promise<Outcome<unknown>>[] = []
      let refused = 0
      for (const sending of flood(sender, 30, { text })) {
        sending.catch((error: unknown) => {
          assert.equal((error as { code?: string }).code, 'overloaded')
          refused += 1
        })
        accepted.push(sending)
      }
      await world.clock.advance(1_000)
      assert.ok(refused >= 10 && refused < 30, `${refused} of 30 were refused`)
      letGo()
      const outcomes = await world.run(Promise.allSettled(accepted))
      assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 30 - refused)
      await allDone(world, flood(sender, 1, { text, prefix: 'later' }))
    })
  }

  it('remembers those that nobody waits for only while there is room', async (t) => {
    const { world } = await stalled(t, {})
    const sender = await world.sender('bounded', { pendingMax: 20 })
    for (let n = 0; n < 3; n += 1) {
      const sent = Array.from({ length: 20 }, (_, index) =>
        sender.send(Go, 'drone-7', { text: '' }, { intentId: `intent-${n}-${index}`, timeoutMs: 100 }),
      )
      const outcomes = await world.run(Promise.all(sent))
      assert.deepEqual(new Set(outcomes.map(({ state }) => state)), new Set(['unknown']))
    }
  })
})
