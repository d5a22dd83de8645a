import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import Type from 'typebox'
import { atEnd } from '../../test/at-end.ts'
import { type ConnectOptions, connect } from './connect.ts'
import { contract } from './contract.ts'
import type { Fabric } from './fabric.ts'
import {
  CommandRejected,
  command,
  event,
  notice,
  query,
  type ReceivedMessage,
  type SkeinError,
  type SwarmEvent,
  SwarmEvents,
  telemetry,
} from './index.ts'

const Place = Type.Object({ latitude: Type.Number(), longitude: Type.Number() })
const ZURICH = { latitude: 47.4, longitude: 8.5 }

const Position = telemetry('swarm.telemetry.{region}.{agentId}', { schema: Place, key: 'agentId' })
const MoveTo = command('swarm.commands.{agentId}.move-to', {
  schema: Place,
  reply: Type.Object({ arrivedAt: Place }),
  startWithinMs: 2_000,
  overlap: 'queue',
})
const Land = command('swarm.commands.{agentId}.land', {
  schema: Type.Object({}),
  startWithinMs: 2_000,
  overlap: 'queue',
})
const Sighting = event('swarm.events.sighting', { schema: Type.Object({ targetId: Type.String() }), key: 'targetId' })
const Alert = notice('swarm.alerts', { schema: Type.Object({ text: Type.String() }) })
const Battery = query('swarm.queries.{agentId}.battery', {
  schema: Type.Object({}),
  reply: Type.Object({ percent: Type.Number() }),
  timeoutMs: 500,
})

const CONTRACT = contract({ Position, MoveTo, Land, Sighting, Alert, Battery })

async function memoryFabric(test: TestContext, options: ConnectOptions = {}): Promise<Fabric> {
  const fabric = await connect('memory:', { contract: CONTRACT, safe: 'none', ...options })
  atEnd(test, () => fabric.close())
  return fabric
}

async function temporaryDirectory(test: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'skein-fabric-'))
  atEnd(test, () => rm(directory, { recursive: true, force: true }))
  return directory
}

/** Collects what a handler is given, and resolves when there are so many. */
function collector<T>(count: number) {
  const values: T[] = []
  const { promise, resolve } = Promise.withResolvers<readonly T[]>()
  const take = (message: ReceivedMessage<T>) => {
    values.push(message.value)
    if (values.length === count) resolve(values)
  }
  return { take, all: promise }
}

describe('connect()', () => {
  it('refuses in memory what asks to be safe, unless whoever connects lowers it; receipts show the level', async (test) => {
    await assert.rejects(connect('memory:', { contract: CONTRACT }), { code: 'unsupported' })
    const fabric = await memoryFabric(test)
    const receipt = await fabric.append(Sighting, { targetId: 'fox' })
    assert.equal(receipt.durability, 'none')
  })

  it('gives durable events on a disk, and finds them again', async (test) => {
    const target = `embedded:${await temporaryDirectory(test)}`
    const first = await connect(target, { contract: CONTRACT })
    const receipt = await first.append(Sighting, { targetId: 'fox' })
    assert.equal(receipt.durability, 'durable')
    const before = await first.join({ id: 'drone-7', type: 'quadrotor', region: 'north' })
    await first.drain()
    const second = await connect(target, { contract: CONTRACT })
    atEnd(test, () => second.close())
    assert.equal((await second.agent('drone-7'))?.liveness, 'left')
    const after = await second.join({ id: 'drone-7', type: 'quadrotor', region: 'north' })
    assert.ok(after.epoch > before.epoch)
    const { take, all } = collector<{ targetId: string }>(1)
    await second.process(Sighting, { group: 'archive' }, take)
    assert.deepEqual(await all, [{ targetId: 'fox' }])
  })

  it('refuses a data directory that is in use', async (test) => {
    const target = `embedded:${await temporaryDirectory(test)}`
    const first = await connect(target)
    atEnd(test, () => first.close())
    await assert.rejects(connect(target), { code: 'locked' })
  })
})

describe('A fabric', () => {
  it('refuses a wrong field at compile time and at run time', async (test) => {
    const fabric = await memoryFabric(test)
    const drone = await fabric.join({ id: 'drone-7', type: 'quadrotor', region: 'north' })
    // @ts-expect-error: latitude is a number.
    await assert.rejects(drone.publish(Position, { latitude: 'high', longitude: 8 }), { code: 'schema-mismatch' })
    // @ts-expect-error: longitude is missing.
    await assert.rejects(fabric.send(MoveTo, 'drone-7', { latitude: 1 }), { code: 'schema-mismatch' })
    const sending = fabric.send(MoveTo, 'drone-7', {
      latitude: 1,
      // @ts-expect-error: told where it stands, and not at the target that another form of the call would take.
      longitude: 'east',
    })
    await assert.rejects(sending, { code: 'schema-mismatch' })
    // @ts-expect-error: a selector has no such field.
    const selecting = fabric.send(MoveTo, { typo: 'rover' }, { latitude: 1, longitude: 2 }, { timeoutMs: 1 })
    await assert.rejects(selecting, { code: 'bad-argument' })
    // One outcome for one agent, a list for all others: as the types say.
    const list = await fabric.send(MoveTo, { type: 'rover' }, { latitude: 1, longitude: 2 }, { timeoutMs: 1 })
    assert.equal(list.length, 0)
    const one = await fabric.send(MoveTo, 'drone-7', { latitude: 1, longitude: 2 }, { timeoutMs: 1 })
    assert.ok(['expired', 'unknown'].includes(one.state))
    // @ts-expect-error: an event is appended, not published.
    await assert.rejects(drone.publish(Sighting, { targetId: 'fox' }), { code: 'bad-argument' })
  })

  it('fills subjects from the identity, and refuses a value that contradicts it', async (test) => {
    const fabric = await memoryFabric(test)
    const drone = await fabric.join({ id: 'drone-7', type: 'quadrotor', region: 'north' })
    const subjects: string[] = []
    const { promise, resolve } = Promise.withResolvers<void>()
    await fabric.process(Position, { group: 'map' }, (message) => {
      subjects.push(message.subject)
      if (subjects.length === 2) resolve()
    })
    await drone.publish(Position, ZURICH)
    const contradiction = { fields: { agentId: 'drone-8' } }
    await assert.rejects(drone.publish(Position, ZURICH, contradiction), { code: 'bad-argument' })
    await drone.change({ region: 'south' })
    await drone.publish(Position, ZURICH)
    await promise
    assert.deepEqual(subjects, ['swarm.telemetry.north.drone-7', 'swarm.telemetry.south.drone-7'])
  })

  it('commands are done with their reply, rejected or failed as the handler says', async (test) => {
    const fabric = await memoryFabric(test)
    const drone = await fabric.join({ id: 'drone-7', type: 'quadrotor', region: 'north' })
    drone.handle(MoveTo, ({ value }) => {
      if (value.latitude > 90) throw new CommandRejected('no such place')
      return { arrivedAt: value }
    })
    drone.handle(Land, () => {
      throw new Error('the gear is stuck')
    })
    const done = await fabric.send(MoveTo, 'drone-7', ZURICH)
    assert.equal(done.state, 'done')
    if (done.state === 'done') assert.deepEqual(done.reply.arrivedAt, ZURICH)
    const rejected = await fabric.send(MoveTo, 'drone-7', { latitude: 91, longitude: 0 })
    assert.deepEqual([rejected.state, 'reason' in rejected && rejected.reason], ['rejected', 'refused'])
    const [failed] = await fabric.send(Land, { type: 'quadrotor' }, {})
    assert.deepEqual([failed?.state, failed && 'message' in failed && failed.message], ['failed', 'the gear is stuck'])
    await assert.rejects(fabric.send(Land, 'drone-8', {}), { code: 'unknown-agent' })
    assert.deepEqual(await fabric.send(Land, { region: 'nowhere' }, {}), [])
    assert.deepEqual(
      (await fabric.outcome(done.intentId)).map(({ state }) => state),
      ['done'],
    )
  })

  it('one kind of command has one handler at a time: a second is refused where it is given', async (test) => {
    const fabric = await memoryFabric(test)
    const drone = await fabric.join({ id: 'drone-7', type: 'quadrotor', region: 'north' })
    const stop = drone.handle(Land, () => assert.fail('it was stopped'))
    const twice = { code: 'bad-argument', message: /has a handler already; stop that one first/ }
    assert.throws(() => drone.handle(Land, () => undefined), twice)
    stop()
    let landed = 0
    drone.handle(Land, () => {
      landed += 1
    })
    // Stopping once more is not stopping the next one.
    stop()
    assert.equal((await fabric.send(Land, 'drone-7', {})).state, 'done')
    assert.throws(() => drone.handle(Land, () => undefined), twice)
    stop()
    assert.equal((await fabric.send(Land, 'drone-7', {})).state, 'done')
    assert.equal(landed, 2)
  })

  it('an agent with a state directory keeps its inbox there', async (test) => {
    const stateDir = await temporaryDirectory(test)
    const fabric = await memoryFabric(test)
    const drone = await fabric.join({ id: 'drone-7', type: 'quadrotor', region: 'north', stateDir })
    let runs = 0
    drone.handle(Land, () => {
      runs += 1
    })
    const intentId = 'land-once'
    assert.equal((await fabric.send(Land, 'drone-7', {}, { intentId })).state, 'done')
    assert.equal((await fabric.send(Land, 'drone-7', {}, { intentId })).state, 'done')
    assert.equal(runs, 1)
    await assert.rejects(fabric.join({ id: 'drone-8', type: 'quadrotor', region: 'north', stateDir }), {
      code: 'locked',
    })
    // The same program begun twice: the second is refused, and the first flies on.
    await assert.rejects(fabric.join({ id: 'drone-7', type: 'quadrotor', region: 'north', stateDir }), {
      code: 'locked',
    })
    assert.equal((await fabric.send(Land, 'drone-7', {})).state, 'done')
    assert.equal(drone.fenced.aborted, false)
    assert.deepEqual(
      (await fabric.roster()).map(({ id }) => id),
      ['drone-7'],
    )
  })

  it('an agent with the state of another swarm is refused, with what to do', async (test) => {
    const stateDir = await temporaryDirectory(test)
    const description = { id: 'drone-7', type: 'quadrotor', region: 'north' }
    const other = await memoryFabric(test)
    for (const round of [1, 2]) {
      const drone = await other.join({ ...description, stateDir })
      drone.handle(Land, () => {})
      assert.equal((await other.send(Land, 'drone-7', {}, { intentId: `${round}` })).state, 'done')
      await drone.leave()
    }
    const fabric = await memoryFabric(test)
    await assert.rejects(fabric.join({ ...description, stateDir }), {
      code: 'wrong-cluster',
      message: /belongs to another swarm.*move the directory away/,
    })
    assert.deepEqual(await fabric.roster(), [])
    // It is free again for the swarm that it belongs to.
    await (await other.join({ ...description, stateDir })).leave()
  })

  it('an agent whose place was taken publishes no more and handles no more', async (test) => {
    const fabric = await memoryFabric(test, { liveness: { pulseMs: 50 } })
    const older = await fabric.join({ id: 'drone-7', type: 'quadrotor', region: 'north' })
    older.handle(Land, () => assert.fail('the older one must not land'))
    const newer = await fabric.join({ id: 'drone-7', type: 'quadrotor', region: 'north' })
    await new Promise<void>((resolve) => older.fenced.addEventListener('abort', () => resolve(), { once: true }))
    assert.equal((older.fenced.reason as SkeinError).code, 'fenced')
    await assert.rejects(older.publish(Position, ZURICH), { code: 'fenced' })
    assert.throws(() => older.handle(MoveTo, () => ({ arrivedAt: ZURICH })), { code: 'fenced' })
    newer.handle(Land, () => undefined)
    assert.equal((await fabric.send(Land, 'drone-7', {})).state, 'done')
  })

  it('tells what happens in the swarm as a channel like any other', async (test) => {
    const fabric = await memoryFabric(test)
    const { take, all } = collector<SwarmEvent>(3)
    await fabric.process(SwarmEvents, { group: 'operations' }, take)
    const drone = await fabric.join({ id: 'drone-7', type: 'quadrotor', region: 'north' })
    await drone.change({ region: 'south' })
    await drone.leave()
    assert.deepEqual(
      (await all).map(({ kind, agentId }) => `${kind} ${agentId}`),
      ['joined drone-7', 'moved drone-7', 'left drone-7'],
    )
  })

  it('a handler that throws gets the message again, and its key waits for it', async (test) => {
    const fabric = await memoryFabric(test)
    const order: string[] = []
    const { promise, resolve } = Promise.withResolvers<void>()
    await fabric.process(Sighting, { group: 'g', retry: { delayMs: 1 } }, ({ attempt, timestampMs }) => {
      order.push(`${timestampMs} attempt ${attempt}`)
      if (timestampMs === 1 && attempt === 1) throw new Error('not now')
      if (timestampMs === 2) resolve()
    })
    for (const timestampMs of [1, 2]) await fabric.append(Sighting, { targetId: 'fox' }, { timestampMs })
    await promise
    assert.deepEqual(order, ['1 attempt 1', '1 attempt 2', '2 attempt 1'])
  })

  it('answers questions about an agent, and says when nobody does', async (test) => {
    const fabric = await memoryFabric(test)
    const drone = await fabric.join({ id: 'drone-7', type: 'quadrotor', region: 'north' })
    const stop = await drone.answer(Battery, () => ({ percent: 81 }))
    const about = { fields: { agentId: 'drone-7' } }
    assert.deepEqual(await fabric.ask(Battery, {}, about), { percent: 81 })
    await stop()
    await assert.rejects(fabric.ask(Battery, {}, about), { code: 'no-responder' })
  })

  it('notices reach whoever listens', async (test) => {
    const fabric = await memoryFabric(test)
    const { take, all } = collector<{ text: string }>(1)
    await fabric.listen(Alert, take)
    fabric.notify(Alert, { text: 'storm' })
    assert.deepEqual(await all, [{ text: 'storm' }])
  })

  it('drain() waits for a running handler and has its agents leave; nothing works afterwards', async (test) => {
    const fabric = await memoryFabric(test)
    const drone = await fabric.join({ id: 'drone-7', type: 'quadrotor', region: 'north' })
    const started = Promise.withResolvers<void>()
    const finish = Promise.withResolvers<void>()
    drone.handle(Land, async () => {
      started.resolve()
      await finish.promise
    })
    const sent = fabric.send(Land, 'drone-7', {})
    await started.promise
    const draining = fabric.drain()
    assert.equal(fabric.drain(), draining)
    finish.resolve()
    assert.equal((await sent).state, 'done')
    await draining
    await assert.rejects(fabric.join({ id: 'drone-8', type: 'quadrotor', region: 'north' }), { code: 'closed' })
    await assert.rejects(fabric.append(Sighting, { targetId: 'fox' }), { code: 'closed' })
    await assert.rejects(fabric.roster(), { code: 'closed' })
  })

  it('close() aborts running handlers at once', async (test) => {
    const fabric = await memoryFabric(test)
    const drone = await fabric.join({ id: 'drone-7', type: 'quadrotor', region: 'north' })
    const aborted = Promise.withResolvers<void>()
    const started = Promise.withResolvers<void>()
    drone.handle(Land, async (_order, { signal }) => {
      signal.addEventListener('abort', () => aborted.resolve(), { once: true })
      started.resolve()
      await aborted.promise
    })
    const sent = fabric.send(Land, 'drone-7', {})
    await started.promise
    await fabric.close()
    await aborted.promise
    assert.ok(['unknown', 'failed'].includes((await sent).state))
  })
})
