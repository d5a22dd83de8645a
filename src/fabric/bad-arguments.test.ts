import assert from 'node:assert/strict'
import { test } from 'node:test'
import Type from 'typebox'
import { command, connect, event, query, telemetry } from './index.ts'

const schema = Type.Object({ n: Type.Integer() })
const Position = telemetry('swarm.telemetry.{agentId}', { schema, key: 'agentId' })
const Sighting = event('swarm.events.sighting', { schema: Type.Object({ target: Type.String() }), key: 'target' })
const Land = command('swarm.commands.{agentId}.land', { schema, startWithinMs: 1_000, overlap: 'queue' })
const State = query('swarm.state', { schema, reply: schema })

const DRONE = { id: 'drone-7', type: 'quadrotor', region: 'north' }

/** As a program without types would call it. */
// biome-ignore lint/suspicious/noExplicitAny: the compiler refuses what is tried here.
type Untyped = any

async function openFabric(t: { after(close: () => Promise<void>): void }): Promise<Untyped> {
  const fabric = await connect('memory:', { safe: 'none' })
  t.after(() => fabric.close())
  return fabric
}

/** Each call must be refused with a text that says why. */
async function allRefused(calls: ReadonlyArray<readonly [why: RegExp, call: () => unknown]>, code = 'bad-argument') {
  for (const [message, call] of calls) await assert.rejects(async () => call(), { code, message }, String(call))
}

test('Names with half of a surrogate pair are refused: as UTF-8 two of them would be one', async (t) => {
  const fabric = await openFabric(t)
  const drone = await fabric.join(DRONE)
  const half = 'a\ud800'
  const [id, intentId] = [half, half]
  await allRefused([
    [/agent id: .*surrogate/, () => fabric.join({ ...DRONE, id })],
    [/region: .*surrogate/, () => drone.change({ region: half })],
    [/label "hull": .*surrogate/, () => drone.change({ labels: { hull: half } })],
    [/send a command: its intent id .*surrogate/, () => fabric.send(Land, 'drone-7', { n: 1 }, { intentId })],
    [/look up an outcome: its intent id .*surrogate/, () => fabric.outcome(intentId)],
    [/key field "target" .*surrogate/, () => fabric.append(Sighting, { target: half })],
    [/its id must be text/, () => fabric.append(Sighting, { target: 'fox' }, { id })],
  ])
  await allRefused(
    [[/surrogate/, () => fabric.publish(Position, { n: 1 }, { fields: { agentId: half } })]],
    'bad-subject',
  )
  const receipt = await fabric.append(Sighting, { target: '🦊' }, { id: '🦊' })
  assert.equal(receipt.durability, 'none')
})

test('A time limit that is none is refused, and nothing is sent', async (t) => {
  const fabric = await openFabric(t)
  const drone = await fabric.join(DRONE)
  drone.handle(Land, () => assert.fail('nothing is sent'))
  for (const timeoutMs of [Number.NaN, -1, '1000']) {
    await allRefused([
      [/send a command: timeoutMs/, () => fabric.send(Land, 'drone-7', { n: 1 }, { timeoutMs })],
      [/look up an outcome: timeoutMs/, () => fabric.outcome('one', { timeoutMs })],
      [/ask swarm\.state: timeoutMs/, () => fabric.ask(State, { n: 1 }, { timeoutMs })],
      [/join: timeoutMs/, () => fabric.join({ ...DRONE, id: 'drone-8', timeoutMs })],
    ])
  }
  assert.deepEqual(await fabric.outcome('one', { timeoutMs: 1_000 }), [])
})

test('A declaration, a target and a description say what is missing', async (t) => {
  const fabric = await openFabric(t)
  const { region: _, ...nowhere } = DRONE
  const anything: Readonly<Record<string, Untyped>> = { event, query, connect }
  await allRefused([
    [/declare the value of channel "swarm\.e": its schema is missing/, () => anything.event('swarm.e', {})],
    [
      /declare the value of channel "swarm\.e": its schema is no object/,
      () => anything.event('swarm.e', { schema: 'x' }),
    ],
    [/declare the channel "x": its options are missing/, () => anything.event('x')],
    [/declare a channel: its pattern is missing/, () => anything.event()],
    [/declare the reply of channel "q": its schema is missing/, () => anything.query('q', { schema })],
    [/connect to "undefined": it must be "memory:"/, () => anything.connect()],
    [/connect to "null": it must be "memory:"/, () => anything.connect(null)],
    [/region: it is missing/, () => fabric.join(nowhere)],
    [/join: its options are no object/, () => fabric.join()],
  ])
})

test('A verb refuses what is no channel, and a channel of another intent, also one that is open', async (t) => {
  const fabric = await openFabric(t)
  const drone = await fabric.join(DRONE)
  const handler = () => assert.fail('nothing is given to it')
  await drone.publish(Position, { n: 1 })
  await allRefused([
    [/publish: undefined is no channel, it must be one declared by telemetry\(\)/, () => fabric.publish(undefined, {})],
    [
      /append: "swarm\.telemetry\.\{agentId\}" is a channel of intent telemetry, .* event\(\)/,
      () => drone.append(Position, { n: 1 }),
    ],
    [
      /publish: "swarm\.events\.sighting" is a channel of intent event/,
      () => drone.publish(Sighting, { target: 'fox' }),
    ],
    [/notify: this is no channel/, () => fabric.notify({}, {})],
    [/erase: .*intent telemetry/, () => fabric.erase(Position, { agentId: 'drone-7' })],
    [/process: .*intent command, .*telemetry\(\) or event\(\)/, () => fabric.process(Land, { group: 'g' }, handler)],
    [/consume: .*intent query/, () => fabric.consume(State)],
    [/listen: .*intent event/, () => fabric.listen(Sighting, handler)],
    [
      /open a view: undefined is no channel/,
      () => fabric.view(undefined, { name: 'v', initial: Object, fold: Object }),
    ],
    [/ask: .*intent event/, () => fabric.ask(Sighting, {})],
    [/answer: undefined/, () => fabric.answer(undefined, handler)],
    [/send: .*intent query/, () => fabric.send(State, 'drone-7', { n: 1 })],
    [/handle: undefined/, () => drone.handle(undefined, handler)],
  ])
})
