/** One contract on Kafka and NATS together: bound by rule, and with commands on the broker that has no subjects. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { connect } from '../../../src/fabric/index.ts'
import { requireService } from '../../services/require-service.ts'
import type { Service } from '../../services/service.ts'
import { until } from '../../until.ts'
import { Alert, Battery, boundSwarm, CONTRACT, Land, MoveTo, Position, Sighting } from './bound-swarm.ts'

const kafka = await requireService('kafka')
const nats = await requireService('nats')
const skip = kafka.skip || nats.skip

describe('A swarm on Kafka and NATS', { skip, timeout: 110_000 }, () => {
  let services: readonly Service[] = []

  before(async () => {
    services = await Promise.all([kafka.start({ mortal: true }), nats.start({ mortal: true })])
  })
  after(() => Promise.all(services.map((service) => service.stop())))

  const brokerNames = () => Object.fromEntries(services.map(({ name, url }) => [name, url]))

  it('is refused before any topic is made where "safe" is not lowered, or nobody can be asked', async () => {
    const [onKafka] = services
    await assert.rejects(connect({ brokers: brokerNames() }, { contract: CONTRACT }), {
      code: 'unsupported',
      message: /on broker "(kafka|nats)".*durability "safe".*safe: "written"/,
    })
    await assert.rejects(connect(onKafka!.url, { contract: CONTRACT, safe: 'written' }), {
      code: 'unsupported',
      message: /on broker "kafka": kafka does not give it request and reply; bind queries to NATS/,
    })
  })

  it('has each intent where it is bound by rule, and all of it works', async (t) => {
    const swarm = await boundSwarm(t, services)
    const fabric = await swarm.connect()
    const agent = await fabric.join({ id: 'rover-1', type: 'rover', region: 'north' })
    agent.handle(MoveTo, ({ value }) => ({ at: value.to }))
    agent.handle(Land, () => {})

    const found = await Promise.all(
      CONTRACT.topics
        .filter(({ intent }) => intent !== 'query')
        .map(async ({ name }) => {
          const { capabilities } = await fabric.bus.admin.describeTopic(name)
          return [name, capabilities.driver] as const
        }),
    )
    assert.deepEqual(Object.fromEntries(found), {
      'swarm.telemetry': 'kafka',
      'swarm.events.sighting': 'kafka',
      'swarm.commands': 'jetstream',
      'swarm.alerts': 'nats',
    })
    const roster = (await fabric.bus.admin.describeTopic('skein.roster')).capabilities
    assert.deepEqual([roster.driver, roster.requests, roster.totalOrder], ['kafka', 'none', true])
    const commands = (await fabric.bus.admin.describeTopic(MoveTo.topic)).capabilities
    assert.deepEqual([commands.wildcards, commands.requests, commands.totalOrder], ['native', 'native', true])

    const controller = await swarm.connect()
    const heard: string[] = []
    await controller.listen(Alert, ({ value }) => heard.push(value.text))
    const counts: number[] = []
    await controller.process(Position, { group: 'map' }, ({ value }) => counts.push(value.count))
    for (let count = 0; count < 5; count += 1) {
      assert.equal((await agent.publish(Position, { count })).durability, 'written')
    }
    await agent.append(Sighting, { target: 't-1' })
    assert.deepEqual((await controller.send(MoveTo, 'rover-1', { to: 3 })).state, 'done')
    await fabric.answer(Battery, () => ({ percent: 70 }))
    assert.deepEqual(await controller.ask(Battery, {}), { percent: 70 })
    await until(() => {
      fabric.notify(Alert, { text: 'fog' })
      return heard.length > 0 && counts.length === 5
    })
    assert.deepEqual(counts, [0, 1, 2, 3, 4])
    const ready = await fetch(`${swarm.url}/health/ready`)
    assert.equal(ready.status, 200)
  })

  it('takes commands once and in time on the broker that has no subjects, and over its restart', async (t) => {
    const swarm = await boundSwarm(t, services, { command: 'kafka' })
    const [agents, controller] = await Promise.all([swarm.connect(), swarm.connect()])
    const ran = new Map<string, number[]>()
    for (const id of ['drone-1', 'drone-2', 'drone-3']) {
      const agent = await agents.join({ id, type: 'drone', region: 'south' })
      ran.set(id, [])
      agent.handle(MoveTo, ({ value }) => {
        ran.get(id)!.push(value.to)
        return { at: value.to }
      })
    }
    const { capabilities } = await controller.bus.admin.describeTopic(MoveTo.topic)
    assert.deepEqual([capabilities.driver, capabilities.wildcards], ['kafka', 'emulated'])
    const send = (to: number) => Promise.all([...ran.keys()].map((id) => controller.send(MoveTo, id, { to })))
    const first = await send(1)
    assert.deepEqual(
      first.map(({ state }) => state),
      ['done', 'done', 'done'],
    )

    // Written or not, the command is resent under its id until there is an outcome, and takes effect once.
    const [node] = services[0]!.nodes
    await node!.kill()
    const during = send(2)
    await node!.start()
    assert.deepEqual(
      (await during).map(({ state }) => state),
      ['done', 'done', 'done'],
    )
    const repeated = await controller.send(MoveTo, 'drone-1', { to: 7 }, { intentId: 'once' })
    await controller.send(MoveTo, 'drone-1', { to: 7 }, { intentId: 'once' })
    assert.equal(repeated.state, 'done')
    assert.deepEqual(
      [...ran.values()],
      [
        [1, 2, 7],
        [1, 2],
        [1, 2],
      ],
    )
    const late = await controller.send(Land, 'drone-2', {})
    assert.deepEqual([late.state, 'reason' in late && late.reason], ['rejected', 'unknown-command'])
  })
})
