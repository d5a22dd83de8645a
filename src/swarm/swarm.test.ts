import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { SimulatedClock, seededRandom } from '../../testing/index.ts'
import { openEmbeddedBus } from '../bus/drivers/embedded/index.ts'
import type { Bus, Message, Request } from '../bus/index.ts'
import { memoryDisk, SkeinError } from '../core/index.ts'
import { type Agent, joinSwarm } from './agent.ts'
import { LagMonitor } from './lag-monitor.ts'
import { withLastHeard } from './last-heard.ts'
import { CONNECTION_HEADER, type Owner, type OwnerOptions, openOwner } from './owner.ts'
import type { PulseAggregate } from './pulse-aggregate.ts'
import { RosterView } from './roster-view.ts'
import type { SwarmEvent } from './swarm-event.ts'
import { PULSES_TOPIC, ROSTER_TOPIC, SWARM_TOPIC } from './topics.ts'

/** One swarm on a clock that stands still: a bus in memory, its owner, and what is needed to join. */
class TestSwarm {
  readonly clock = new SimulatedClock()
  readonly random = seededRandom(7)
  readonly errors: unknown[] = []
  #bus: Bus | undefined
  #owner: Owner | undefined
  readonly #closing: Array<() => Promise<void> | void> = []
  readonly #disk = memoryDisk()
  readonly #faulty: (bus: Bus) => Bus

  constructor(faulty: (bus: Bus) => Bus = (bus) => bus) {
    this.#faulty = faulty
  }

  get bus(): Bus {
    return this.#bus!
  }

  get owner(): Owner {
    return this.#owner!
  }

  async start(options: Partial<OwnerOptions> = {}): Promise<void> {
    const { clock, random } = this
    this.#bus ??= await clock.until(openEmbeddedBus({ disk: this.#disk, clock, random, directory: 'data' }))
    const opening = openOwner({
      bus: this.#faulty(this.#bus),
      clock,
      nodeId: 'node-1',
      durability: 'none',
      onError: (error) => this.errors.push(error),
      ...options,
    })
    this.#owner = await clock.until(opening)
  }

  async join(id: string, options: { readonly over?: string; readonly region?: string } = {}): Promise<Agent> {
    const agent = await joinSwarm({
      requests: overConnection(this.bus, options.over),
      clock: this.clock,
      random: this.random,
      description: { id, type: 'rover', region: options.region ?? 'north' },
      timeoutMs: 1_000,
    })
    this.#closing.push(() => agent.close())
    return agent
  }

  view(): RosterView {
    const view = new RosterView({ bus: this.bus, clock: this.clock, onError: (error) => this.errors.push(error) })
    this.#closing.push(() => view.close())
    return view
  }

  /** What was told so far, as `kind agent`. */
  async told(): Promise<string[]> {
    await this.clock.settle()
    return (await this.events()).map((event) => `${event.kind} ${event.agentId ?? event.group}`)
  }

  async events(): Promise<readonly SwarmEvent[]> {
    return (await this.read(SWARM_TOPIC)) as readonly SwarmEvent[]
  }

  async read(topic: string): Promise<readonly unknown[]> {
    const { end } = (await this.bus.admin.describeTopic(topic)).partitions[0]!
    const reader = this.bus.reader(topic, { mode: 'broadcast', from: 'earliest' })
    const values: unknown[] = []
    for (let next = 0; next < end.sequence; ) {
      const batch = (await reader.read())!
      values.push(...batch.deliveries.map((delivery) => JSON.parse(delivery.text())))
      next = batch.last.sequence + 1
    }
    await reader.close()
    return values
  }

  /** As after `kill -9` of the node: nothing is drained, and a new owner starts on the same bus. */
  async restart(): Promise<void> {
    await this.owner.close()
    await this.start()
  }

  async close(): Promise<void> {
    for (const close of this.#closing) await close()
    await this.#owner?.close()
    await this.#bus?.close()
  }
}

async function testSwarm(
  test: TestContext,
  options?: Partial<OwnerOptions>,
  faulty?: (bus: Bus) => Bus,
): Promise<TestSwarm> {
  const swarm = new TestSwarm(faulty)
  test.after(() => swarm.close())
  await swarm.start(options)
  return swarm
}

/** Requests as a gateway passes them on: stamped with the connection they came over. */
function overConnection(bus: Bus, connection: string | undefined): Bus['requests'] {
  if (connection === undefined) return bus.requests
  return {
    answer: (subject, handler) => bus.requests.answer(subject, handler),
    ask: (request: Request, options) =>
      bus.requests.ask({ ...request, headers: { ...request.headers, [CONNECTION_HEADER]: connection } }, options),
  }
}

describe('A swarm', () => {
  it('gives each join a greater epoch, and the roster view everywhere shows it', async (test) => {
    const swarm = await testSwarm(test)
    const one = await swarm.join('drone-1')
    const two = await swarm.join('rover-1', { region: 'south' })
    assert.ok(two.identity.epoch > one.identity.epoch)
    const view = swarm.view()
    await view.ready()
    assert.deepEqual(
      view.select({}).map(({ id, epoch, liveness }) => [id, epoch, liveness]),
      [
        ['drone-1', one.identity.epoch, 'alive'],
        ['rover-1', two.identity.epoch, 'alive'],
      ],
    )
    assert.deepEqual(
      view.select({ region: 'south' }).map(({ id }) => id),
      ['rover-1'],
    )
    assert.deepEqual(await swarm.told(), ['joined drone-1', 'joined rover-1'])
    assert.equal((await swarm.events())[0]!.epoch, one.identity.epoch)
  })

  it('keeps agents alive while they pulse, without writing anything to the roster', async (test) => {
    const swarm = await testSwarm(test)
    await swarm.join('drone-1')
    const before = await swarm.read(ROSTER_TOPIC)
    await swarm.clock.advance(60_000)
    assert.equal(swarm.owner.get('drone-1')?.liveness, 'alive')
    assert.equal((await swarm.read(ROSTER_TOPIC)).length, before.length)
    assert.ok(swarm.owner.get('drone-1')!.seenAtMs >= swarm.clock.nowMs() - 1_100)
  })

  it('an agent that vanishes is suspect after three pulses and lost after ten, durably and as events', async (test) => {
    const swarm = await testSwarm(test)
    const agent = await swarm.join('drone-1')
    const view = swarm.view()
    agent.close()
    await swarm.clock.advance(3_500)
    await view.ready()
    assert.equal(view.get('drone-1')?.liveness, 'suspect')
    await swarm.clock.advance(7_000)
    await view.ready()
    assert.equal(view.get('drone-1')?.liveness, 'lost')
    assert.deepEqual(await swarm.told(), ['joined drone-1', 'suspect drone-1', 'lost drone-1'])
  })

  it('one that comes back joins with a newer epoch and fences its older self', async (test) => {
    const fenced: unknown[] = []
    const swarm = await testSwarm(test, { onFenced: (which) => fenced.push(which) })
    const before = await swarm.join('drone-1', { over: 'socket 1' })
    const after = await swarm.join('drone-1', { over: 'socket 2' })
    assert.deepEqual(fenced, [
      { agentId: 'drone-1', epoch: before.identity.epoch, byEpoch: after.identity.epoch, connection: 'socket 1' },
    ])
    await swarm.clock.advance(1_100)
    assert.equal(before.fenced.aborted, true)
    assert.equal((before.fenced.reason as SkeinError).code, 'fenced')
    assert.equal(before.held(), false)
    assert.equal(after.held(), true)
    assert.deepEqual(await swarm.told(), ['joined drone-1', 'fenced drone-1', 'joined drone-1'])
    await assert.rejects(before.change({ region: 'south' }), { code: 'fenced' })
    await before.leave()
    assert.equal(swarm.owner.get('drone-1')?.liveness, 'alive')
  })

  it('a process that was paused finds its lease over before it acts, and then that it is fenced', async (test) => {
    const swarm = await testSwarm(test)
    const paused = await joinSwarm({
      requests: swarm.bus.requests,
      clock: pausable(swarm.clock),
      random: swarm.random,
      description: { id: 'drone-1', type: 'rover', region: 'north' },
    })
    await swarm.join('drone-1')
    await swarm.clock.advance(5_000)
    assert.equal(paused.fenced.aborted, false)
    assert.equal(paused.held(), false)
    await assert.rejects(paused.renew(), { code: 'fenced' })
    paused.close()
  })

  it('a machine that slept, its monotonic clock with it, finds the lease over before it acts', async (test) => {
    const swarm = await testSwarm(test)
    const { clock, sleep } = sleepable(swarm.clock)
    const { requests } = swarm.bus
    const description = { id: 'drone-1', type: 'rover', region: 'north' }
    const agent = await joinSwarm({ requests, clock, random: swarm.random, description })
    assert.equal(agent.held(), true)
    await sleep(60_000)
    assert.equal(agent.held(), false)
    assert.equal(agent.nodeTime.latestMs(), undefined)
    await agent.renew()
    assert.equal(agent.held(), true)
    assert.ok(agent.nodeTime.latestMs()! >= swarm.clock.nowMs())
    await swarm.join('drone-1')
    await sleep(60_000)
    await assert.rejects(agent.renew(), { code: 'fenced' })
    agent.close()
  })

  it('a closed connection makes its agents suspect at once, and a pulse over another brings them back', async (test) => {
    const swarm = await testSwarm(test)
    await swarm.join('drone-1', { over: 'socket 1' })
    swarm.owner.connectionClosed('socket 1')
    assert.equal(swarm.owner.get('drone-1')?.liveness, 'suspect')
    await swarm.clock.advance(1_100)
    assert.equal(swarm.owner.get('drone-1')?.liveness, 'alive')
    assert.deepEqual(await swarm.told(), ['joined drone-1', 'suspect drone-1', 'back drone-1'])
    assert.equal((await swarm.events())[1]!.reason, 'connection-closed')
  })

  it('knows when each agent was last heard, though pulses are not written', async (test) => {
    const swarm = await testSwarm(test)
    await swarm.join('drone-1')
    const view = swarm.view()
    await view.ready()
    await swarm.clock.advance(30_000)
    const [stored] = view.select({})
    const [known] = await withLastHeard(swarm.bus.requests, view.select({}))
    assert.ok(stored!.seenAtMs <= swarm.clock.nowMs() - 30_000)
    assert.ok(known!.seenAtMs >= swarm.clock.nowMs() - 1_100)
  })

  it('moves, changes of role and leaves are in the roster and told', async (test) => {
    const swarm = await testSwarm(test)
    const agent = await swarm.join('drone-1')
    await agent.change({ region: 'south' })
    await agent.change({ labels: { cargo: 'blood' }, capabilities: ['lift'] })
    assert.equal(agent.identity.region, 'south')
    const view = swarm.view()
    await view.ready()
    assert.deepEqual(
      view.select({ region: 'south', labels: { cargo: 'blood' }, capability: 'lift' }).map(({ id }) => id),
      ['drone-1'],
    )
    await agent.leave()
    await view.ready()
    assert.equal(view.get('drone-1')?.liveness, 'left')
    assert.deepEqual(view.select({}), [])
    assert.deepEqual(await swarm.told(), ['joined drone-1', 'moved drone-1', 'role-changed drone-1', 'left drone-1'])
  })

  it('what cannot be written for a while is decided all the same, and written and told when there is room', async (test) => {
    const disk = { isFull: false }
    const swarm = await testSwarm(test, {}, (bus) => fillable(bus, disk))
    const agent = await swarm.join('drone-1')
    const view = swarm.view()
    await view.ready()
    disk.isFull = true
    agent.close()
    await swarm.clock.advance(5_000)
    assert.equal(swarm.owner.get('drone-1')?.liveness, 'suspect')
    assert.equal(view.get('drone-1')?.liveness, 'alive')
    assert.ok(swarm.errors.every((error) => (error as SkeinError).code === 'disk-full'))
    await assert.rejects(swarm.clock.until(swarm.join('drone-2')), { code: 'disk-full' })
    assert.equal(swarm.owner.get('drone-2'), undefined)
    disk.isFull = false
    await swarm.clock.advance(1_000)
    await view.ready()
    assert.equal(view.get('drone-1')?.liveness, 'suspect')
    assert.deepEqual(await swarm.told(), ['joined drone-1', 'suspect drone-1'])
  })

  it('a restarted node knows everybody and gives them time to pulse before it suspects them', async (test) => {
    const swarm = await testSwarm(test)
    const agent = await swarm.join('drone-1')
    const vanished = await swarm.join('drone-2')
    vanished.close()
    await swarm.restart()
    assert.equal(swarm.owner.get('drone-1')?.epoch, agent.identity.epoch)
    await swarm.clock.advance(7_000)
    assert.equal(swarm.owner.get('drone-1')?.liveness, 'alive')
    assert.equal(swarm.owner.get('drone-2')?.liveness, 'alive')
    await swarm.clock.advance(2_000)
    assert.equal(swarm.owner.get('drone-1')?.liveness, 'alive')
    assert.equal(swarm.owner.get('drone-2')?.liveness, 'suspect')
    assert.equal(agent.fenced.aborted, false)
  })

  it('tells after a restart what the node decided and could not tell before it died, and nothing twice', async (test) => {
    const swarm = await testSwarm(test)
    await swarm.join('drone-1')
    await swarm.clock.settle()
    await swarm.owner.close()
    const writer = swarm.bus.writer(ROSTER_TOPIC)
    await writer.write([untoldJoin('drone-2', swarm.owner, swarm.clock.nowMs())])
    await swarm.start()
    assert.deepEqual(await swarm.told(), ['joined drone-1', 'joined drone-2'])
    await swarm.restart()
    assert.deepEqual(await swarm.told(), ['joined drone-1', 'joined drone-2'])
  })

  it('a newer owner on the same bus fences the older, whose later records do not count', async (test) => {
    const swarm = await testSwarm(test)
    const older = swarm.owner
    await swarm.join('drone-1')
    const stale = untoldJoin('drone-9', older, swarm.clock.nowMs())
    await swarm.start()
    await swarm.clock.settle()
    assert.equal((swarm.errors[0] as SkeinError).code, 'fenced')
    await assert.rejects(older.ready(), { code: 'fenced' })
    await swarm.bus.writer(ROSTER_TOPIC).write([stale])
    const view = swarm.view()
    await view.ready()
    assert.equal(view.get('drone-9'), undefined)
    assert.equal(view.get('drone-1')?.liveness, 'alive')
  })

  it('tells one aggregate of pulses per second, of those heard', async (test) => {
    const swarm = await testSwarm(test)
    const reader = swarm.bus.reader(PULSES_TOPIC, { mode: 'broadcast', from: 'latest' })
    test.after(() => reader.close())
    const one = await swarm.join('drone-1')
    const two = await swarm.join('drone-2')
    await swarm.clock.advance(3_900)
    const heard: Array<readonly string[]> = []
    for (let batch = await reader.read({ waitMs: 0 }); batch; batch = await reader.read({ waitMs: 0 })) {
      for (const delivery of batch.deliveries) {
        const aggregate = JSON.parse(delivery.text()) as PulseAggregate
        assert.deepEqual([aggregate.nodeId, aggregate.parts], ['node-1', 1])
        heard.push(Object.keys(aggregate.heard))
        assert.equal(aggregate.heard['drone-1'], one.identity.epoch)
        assert.equal(aggregate.heard['drone-2'], two.identity.epoch)
      }
    }
    assert.deepEqual(heard, Array(3).fill(['drone-1', 'drone-2']))
  })

  it('refuses bad descriptions before anything is asked, and malformed requests from anybody', async (test) => {
    const swarm = await testSwarm(test)
    await assert.rejects(swarm.join('a.b'), { code: 'bad-argument' })
    await assert.rejects(swarm.join('x'.repeat(257)), { code: 'bad-argument' })
    for (const value of ['', '[]', '{}', '{"id":7}', '{"id":"a","epoch":-1}', '{"id":"a.b","epoch":1}']) {
      const reply = await swarm.bus.requests.ask({ subject: 'skein.swarm.pulse', value }, { timeoutMs: 1_000 })
      assert.equal(JSON.parse(String(reply.value)).error.code, 'bad-argument', value)
    }
    assert.deepEqual(swarm.owner.all(), [])
  })

  it('join() without a node says so', async (test) => {
    const swarm = await testSwarm(test)
    await swarm.owner.close()
    const joining = swarm.join('drone-1')
    joining.catch(() => {})
    await swarm.clock.advance(5_000)
    await assert.rejects(joining, { code: 'no-responder', message: /skein up/ })
  })

  it('measures lag, tells lagging and recovered, and asks for a restart of a stuck group', async (test) => {
    const swarm = await testSwarm(test)
    const stuck: string[] = []
    await swarm.clock.until(swarm.bus.open({ name: 'work', intent: 'telemetry', durability: 'none' }))
    const monitor = new LagMonitor({
      bus: swarm.bus,
      clock: swarm.clock,
      restart: ({ group }) => stuck.push(group),
      onError: (error) => swarm.errors.push(error),
    })
    const reader = swarm.bus.reader('work', { mode: 'group', group: 'map' })
    const writer = swarm.bus.writer('work')
    test.after(() => Promise.all([monitor.close(), reader.close(), writer.close()]))
    await writer.write([{ subject: 'work.a', value: 'x' }] satisfies Message[])
    const batch = (await swarm.clock.until(reader.read()))!
    await swarm.clock.advance(7_000)
    assert.deepEqual(await swarm.told(), ['lagging map'])
    await swarm.clock.advance(31_000)
    assert.deepEqual(stuck, ['map'])
    await swarm.clock.until(reader.acknowledge(batch.last))
    await swarm.clock.advance(2_000)
    assert.deepEqual(await swarm.told(), ['lagging map', 'stuck map', 'recovered map'])
    assert.deepEqual(swarm.errors, [])
  })
})

/** The bus, but that the roster takes nothing while the disk is said to be full. */
function fillable(bus: Bus, disk: { isFull: boolean }): Bus {
  const full = () => Promise.reject(new SkeinError('disk-full', 'Cannot append: the disk is full', { retryable: true }))
  const writerOf: Bus['writer'] = (topic, options) => {
    const writer = bus.writer(topic, options)
    if (topic !== ROSTER_TOPIC) return writer
    return new Proxy(writer, {
      get: (target, name) => {
        if (name === 'write' && disk.isFull) return full
        const value: unknown = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }
  return new Proxy(bus, {
    get: (target, name) => {
      if (name === 'writer') return writerOf
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** A clock whose timers never fire: a process that is stopped, but whose monotonic clock goes on. */
function pausable(clock: SimulatedClock) {
  return Object.assign(Object.create(clock) as SimulatedClock, {
    nowMs: () => clock.nowMs(),
    monotonicMs: () => clock.monotonicMs(),
    missedMs: () => clock.missedMs(),
    setTimer: () => ({ cancel: () => {} }),
    sleep: (delayMs: number, options?: { signal?: AbortSignal }) => clock.sleep(delayMs, options),
  })
}

/** A clock of a machine that can sleep: the swarm's goes on meanwhile, its own monotonic one stands still. */
function sleepable(world: SimulatedClock) {
  let sleptMs = 0
  const clock = Object.assign(pausable(world), {
    monotonicMs: () => world.monotonicMs() - sleptMs,
    missedMs: () => sleptMs,
  })
  const sleep = async (durationMs: number) => {
    await world.advance(durationMs)
    sleptMs += durationMs
  }
  return { clock, sleep }
}

function untoldJoin(id: string, owner: Owner, nowMs: number): Message {
  const state = { id, type: 'rover', region: 'north', labels: {}, capabilities: [], joinId: id }
  const times = { joinedAtMs: nowMs, seenAtMs: nowMs }
  const events = [{ kind: 'joined', agentId: id, atMs: nowMs, type: 'rover', region: 'north' }]
  return {
    subject: `${ROSTER_TOPIC}.agents.${id}`,
    key: id,
    value: JSON.stringify({ ...state, ...times, liveness: 'alive', events }),
    headers: { skeinowner: String(owner.epoch) },
  }
}
