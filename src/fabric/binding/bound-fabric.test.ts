import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import Type from 'typebox'
import { atEnd } from '../../../test/at-end.ts'
import { until } from '../../../test/until.ts'
import { connect } from '../connect.ts'
import { contract } from '../contract.ts'
import type { Fabric } from '../fabric.ts'
import { command, event, notice, query, telemetry, type UnsupportedError } from '../index.ts'
import type { Binding } from './binding.ts'

const Position = telemetry('swarm.telemetry.{agentId}', { schema: Type.Object({ at: Type.Number() }), key: 'agentId' })
const Sighting = event('swarm.events.sighting', { schema: Type.Object({ target: Type.String() }), key: 'target' })
const Careful = event('swarm.careful.{name}', {
  schema: Type.Object({ name: Type.String() }),
  key: 'name',
  durability: 'replicated',
})
const MoveTo = command('swarm.commands.{agentId}.move-to', {
  schema: Type.Object({ to: Type.Number() }),
  reply: Type.Object({ at: Type.Number() }),
  startWithinMs: 2_000,
  overlap: 'queue',
})
const Alert = notice('swarm.alerts', { schema: Type.Object({ text: Type.String() }) })
const Battery = query('swarm.queries.battery', {
  schema: Type.Object({}),
  reply: Type.Object({ percent: Type.Number() }),
  timeoutMs: 500,
})
const CONTRACT = contract({ Position, Sighting, MoveTo, Alert, Battery })

/** Closed by the test that has them, before their directory goes. */
const fabrics: Fabric[] = []

async function bound(binding: Binding): Promise<Fabric> {
  const fabric = await connect(binding, { contract: CONTRACT })
  fabrics.push(fabric)
  return fabric
}

async function twoBrokers(test: TestContext): Promise<Binding> {
  const directory = await mkdtemp(join(tmpdir(), 'skein-binding-'))
  atEnd(test, async () => {
    await Promise.all(fabrics.splice(0).map((fabric) => fabric.close()))
    await rm(directory, { recursive: true, force: true })
  })
  return {
    brokers: { store: `embedded:${directory}`, live: { url: 'memory:', safe: 'none' } },
    bind: { telemetry: 'store', event: 'store', command: 'live', notice: 'live', query: 'live' },
  }
}

describe('A fabric on several brokers', () => {
  it('puts each topic on the broker its intent is bound to, and receipts say what that one gives', async (test) => {
    const fabric = await bound(await twoBrokers(test))
    const stored = await fabric.append(Sighting, { target: 't-1' })
    assert.equal(stored.durability, 'durable')
    const commands = await fabric.bus.admin.describeTopic(MoveTo.topic)
    assert.equal(commands.capabilities.durability, 'none')
    const events = await fabric.bus.admin.describeTopic(Sighting.topic)
    assert.equal(events.capabilities.durability, 'durable')
    const topics = await fabric.bus.admin.listTopics()
    assert.deepEqual(topics, [...new Set(topics)].sort())
    for (const topic of [Position.topic, MoveTo.topic, 'skein.roster']) assert.ok(topics.includes(topic), topic)
  })

  it('has agents join, take commands and answer over brokers that do not know each other', async (test) => {
    const fabric = await bound(await twoBrokers(test))
    const agent = await fabric.join({ id: 'drone-1', type: 'quadrotor', region: 'north' })
    agent.handle(MoveTo, ({ value }) => ({ at: value.to }))
    const outcome = await fabric.send(MoveTo, 'drone-1', { to: 7 })
    assert.deepEqual([outcome.state, 'reply' in outcome && outcome.reply], ['done', { at: 7 }])
    const stop = await fabric.answer(Battery, () => ({ percent: 80 }))
    assert.deepEqual(await fabric.ask(Battery, {}), { percent: 80 })
    await stop()
    const heard = Promise.withResolvers<string>()
    await fabric.listen(Alert, ({ value }) => heard.resolve(value.text))
    fabric.notify(Alert, { text: 'fog' })
    assert.equal(await heard.promise, 'fog')
  })

  it('reads topics and dead letters that somebody else opened where they lie', async (test) => {
    const fabric = await bound(await twoBrokers(test))
    await fabric.process(Sighting, { group: 'map', retry: { attemptsMax: 1 } }, () => {
      throw new Error('no map')
    })
    await fabric.append(Sighting, { target: 't-1' })
    const dead = 'skein.dead.swarm.events.sighting'
    await until(async () => (await fabric.bus.admin.listTopics()).includes(dead))
    const reader = fabric.bus.reader(dead, { mode: 'broadcast', from: 'earliest' })
    const batch = await reader.read({ waitMs: 5_000 })
    assert.equal(batch?.deliveries.length, 1)
    await reader.close()
    await assert.rejects(fabric.bus.admin.describeTopic('swarm.nowhere'), { code: 'not-found', message: /store, live/ })
  })

  it('takes no notice of a topic that lies where its intent is not bound', async (test) => {
    const binding = await twoBrokers(test)
    const before = await connect({ ...binding, bind: { ...binding.bind, command: 'store' } }, { contract: CONTRACT })
    await before.close()
    const fabric = await bound(binding)
    const { capabilities } = await fabric.bus.admin.describeTopic(MoveTo.topic)
    assert.equal(capabilities.durability, 'none')
    const reader = fabric.bus.reader(MoveTo.topic, { mode: 'broadcast', from: 'earliest' })
    assert.equal((await reader.end())[0]?.partition, 0)
    await reader.close()
  })

  it('refuses at open what a broker does not give, with channel, broker, what is missing and what to do', async (test) => {
    const binding = await twoBrokers(test)
    const unlowered = { ...binding, brokers: { ...binding.brokers, live: 'memory:' } }
    await assert.rejects(connect(unlowered, { contract: CONTRACT }), (error: UnsupportedError) => {
      assert.equal(error.code, 'unsupported')
      assert.equal(error.details.broker, 'live')
      assert.equal(error.details.capability, 'durability')
      assert.deepEqual(error.details.channels, [MoveTo.subject.pattern])
      assert.match(error.message, /broker "live": memory .*durability "safe".*safe: "written"/)
      return true
    })
    const fabric = await bound(binding)
    await assert.rejects(fabric.append(Careful, { name: 'x' }), {
      code: 'unsupported',
      message: /"swarm.careful.\{name\}" on broker "store".*declare "safe" instead of "replicated"/,
    })
  })

  it('refuses a setting that is for another kind of broker, and an address of no kind', async () => {
    const core: Binding = { brokers: { store: { url: 'memory:', mode: 'core' } } }
    await assert.rejects(connect(core), { code: 'bad-argument', message: /"store": memory does not take "mode"/ })
    await assert.rejects(connect({ brokers: { cache: 'redis://127.0.0.1' } }), {
      code: 'bad-argument',
      message: /broker "cache": its address is none of kafka:/,
    })
    await assert.rejects(connect({ brokers: { far: { url: 'env:SKEIN_NO_SUCH_BROKER' } } }), { code: 'bad-config' })
  })

  it('closes those that could be reached when one cannot', async (test) => {
    const directory = await mkdtemp(join(tmpdir(), 'skein-binding-'))
    atEnd(test, () => rm(directory, { recursive: true, force: true }))
    const far = 'skein://127.0.0.1:1'
    const binding: Binding = { brokers: { store: `embedded:${directory}`, far } }
    await assert.rejects(connect(binding, { connectTimeoutMs: 50 }), { code: 'connection-lost' })
    // The directory is free again.
    await (await connect(`embedded:${directory}`)).close()
  })
})
