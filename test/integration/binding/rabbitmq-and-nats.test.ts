/** RabbitMQ beside NATS: its streams are read whole, so that commands bound to it are handed out by the node. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { connect } from '../../../src/fabric/index.ts'
import { requireService } from '../../services/require-service.ts'
import type { Service } from '../../services/service.ts'
import { boundSwarm, CONTRACT, MoveTo, Position } from './bound-swarm.ts'

const rabbitmq = await requireService('rabbitmq')
const nats = await requireService('nats')
const skip = rabbitmq.skip || nats.skip

describe('A swarm on RabbitMQ and NATS', { skip, timeout: 110_000 }, () => {
  let services: readonly Service[] = []

  before(async () => {
    services = await Promise.all([rabbitmq.start({ mortal: true }), nats.start({ mortal: true })])
  })
  after(() => Promise.all(services.map((service) => service.stop())))

  it('is refused on RabbitMQ alone, where no epochs are to be had', async () => {
    await assert.rejects(connect(services[0]!.url, { contract: CONTRACT, safe: 'written' }), {
      code: 'unsupported',
      message: /on broker "rabbitmq": rabbitmq does not give it totally ordered positions .*NATS with JetStream/,
    })
  })

  it('takes commands and telemetry where they are bound', async (t) => {
    const swarm = await boundSwarm(t, services, { command: 'rabbitmq', telemetry: 'rabbitmq' })
    const [agents, controller] = await Promise.all([swarm.connect(), swarm.connect()])
    const agent = await agents.join({ id: 'rover-1', type: 'rover', region: 'north' })
    const ran: number[] = []
    agent.handle(MoveTo, ({ value }) => {
      ran.push(value.to)
      return { at: value.to }
    })
    for (const topic of [MoveTo.topic, Position.topic]) {
      const { capabilities } = await controller.bus.admin.describeTopic(topic)
      const { driver, wildcards, requests, totalOrder } = capabilities
      assert.deepEqual([driver, wildcards, requests, totalOrder], ['rabbitmq', 'emulated', 'native', false])
    }
    for (const to of [1, 2, 3]) {
      const outcome = await controller.send(MoveTo, 'rover-1', { to })
      assert.deepEqual([outcome.state, 'reply' in outcome && outcome.reply], ['done', { at: to }])
    }
    assert.deepEqual(ran, [1, 2, 3])
    assert.equal((await agent.publish(Position, { count: 1 })).durability, 'written')
  })
})
