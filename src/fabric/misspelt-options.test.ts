import assert from 'node:assert/strict'
import { test } from 'node:test'
import Type from 'typebox'
import { command, connect, event, notice, query, telemetry } from './index.ts'

const schema = Type.Object({ n: Type.Integer() })
const Position = telemetry('swarm.telemetry.{agentId}', { schema, key: 'agentId' })
const Sighting = event('swarm.events.sighting', { schema })
const Alert = notice('swarm.alerts', { schema })
const Land = command('swarm.commands.{agentId}.land', { schema, startWithinMs: 1_000, overlap: 'queue' })
const State = query('swarm.state', { schema, reply: schema })

/** As a program without types would call it. */
// biome-ignore lint/suspicious/noExplicitAny: the compiler refuses what is tried here.
type Untyped = any

function meant(nearest: string) {
  return { code: 'bad-argument', message: new RegExp(`did you mean "${nearest}"`) }
}

test('A declaration refuses a misspelt option, and names the one that was meant', () => {
  const declare: Readonly<Record<string, () => unknown>> = {
    conflate: () => telemetry('a.{agentId}', { schema, conflat: true } as Untyped),
    tombstoneMs: () => event('a', { schema, compaction: { tombstonMs: 1 } } as Untyped),
    schema: () => notice('a', { shema: schema } as Untyped),
    reply: () => query('a', { schema, repply: schema } as Untyped),
    idempotent: () =>
      command('a.{agentId}', { schema, startWithinMs: 1, overlap: 'queue', idempotnet: true } as Untyped),
  }
  for (const [nearest, declared] of Object.entries(declare)) assert.throws(declared, meant(nearest))
})

test('connect() refuses a misspelt option before it opens anything', async () => {
  await assert.rejects(connect('memory:', { saef: 'none' } as Untyped), meant('safe'))
  await assert.rejects(connect('memory:', { liveness: { pulsMs: 1 } } as Untyped), meant('pulseMs'))
  const admission = { agents: { named: { a: { mesagesPerSecond: 1 } } } }
  await assert.rejects(connect('memory:', { admission } as Untyped), meant('messagesPerSecond'))
  await assert.rejects(connect('memory:', { objects: { directry: 'x' } } as Untyped), meant('directory'))
})

test('Every verb refuses a misspelt option, and a selector a misspelt field', async (t) => {
  const fabric: Untyped = await connect('memory:', { safe: 'none' })
  t.after(() => fabric.close())
  const drone = await fabric.join({ id: 'drone-7', type: 'quadrotor', region: 'north' })
  const handler = () => assert.fail('nothing is given to a handler that was not bound')
  const calls: Readonly<Record<string, () => Promise<unknown>>> = {
    group: () => fabric.process(Position, { gruop: 'g' }, handler),
    attemptsMax: () => fabric.process(Position, { group: 'g', retry: { atemptsMax: 1 } }, handler),
    messagesMax: () => fabric.consume(Sighting, { mesagesMax: 1 }),
    fields: () => fabric.listen(Alert, handler, { feilds: {} }),
    initial: () => fabric.view(Sighting, { name: 'v', inital: () => 0, fold: () => 0 }),
    timeoutMs: () => fabric.ask(State, { n: 1 }, { timoutMs: 1 }),
    intentId: () => fabric.send(Land, 'drone-7', { n: 1 }, { intendId: 'one' }),
    type: () => fabric.send(Land, { tpye: 'quadrotor' }, { n: 1 }),
    region: () => fabric.roster({ regoin: 'north' }),
    agentId: () => fabric.outcome('one', { agentid: 'drone-7' }),
    stateDir: () => fabric.join({ id: 'drone-8', type: 'quadrotor', region: 'north', stateDri: 'x' }),
    labels: () => drone.change({ lables: {} }),
  }
  for (const [nearest, call] of Object.entries(calls)) await assert.rejects(call(), meant(nearest), nearest)
})
