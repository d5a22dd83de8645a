import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bindIntents, brokerOf, lacksForJoining } from './bind-intents.ts'
import type { BrokerKind } from './broker-kind.ts'

const brokers = (...kinds: readonly BrokerKind[]) => kinds.map((kind) => ({ name: kind, kind }))

function placesOf(routes: ReturnType<typeof bindIntents>) {
  const { byIntent, own } = routes
  return [...Object.values(byIntent), own].map(({ kind }) => kind).join(' ')
}

describe('bindIntents()', () => {
  it('puts logs on Kafka and what goes to one of many on NATS, whatever their order', () => {
    const expected = 'kafka kafka jetstream jetstream jetstream kafka'
    assert.equal(placesOf(bindIntents(brokers('kafka', 'jetstream'))), expected)
    assert.equal(placesOf(bindIntents(brokers('jetstream', 'kafka'))), expected)
  })

  it('puts nothing that is stored on core NATS where another broker stores', () => {
    const routes = bindIntents(brokers('nats-core', 'kafka'))
    assert.equal(placesOf(routes), 'kafka kafka kafka nats-core nats-core kafka')
  })

  it('puts work on RabbitMQ and keeps the roster where positions are totally ordered', () => {
    const routes = bindIntents(brokers('rabbitmq', 'jetstream'))
    assert.equal(placesOf(routes), 'jetstream jetstream jetstream jetstream jetstream jetstream')
    assert.equal(brokerOf(routes, { intent: 'event', storage: 'work' }, false).kind, 'rabbitmq')
  })

  it('does as it is told', () => {
    const routes = bindIntents(brokers('kafka', 'jetstream', 'rabbitmq'), { command: 'kafka', notice: 'rabbitmq' })
    assert.equal(brokerOf(routes, { intent: 'command' }, false).kind, 'kafka')
    assert.equal(brokerOf(routes, { intent: 'notice' }, false).kind, 'rabbitmq')
  })

  it('sends what is not stored where notices go, and stored topics of Skein’s own where the roster lies', () => {
    const routes = bindIntents(brokers('kafka', 'jetstream'), { command: 'kafka' })
    assert.equal(brokerOf(routes, { intent: 'command', storage: 'ephemeral' }, false).kind, 'jetstream')
    assert.equal(brokerOf(routes, { intent: 'event' }, true).kind, 'kafka')
    assert.equal(brokerOf(routes, { intent: 'notice' }, true).kind, 'jetstream')
  })

  it('refuses a name that no broker has, with the nearest', () => {
    assert.throws(() => bindIntents(brokers('kafka', 'jetstream'), { event: 'kafak' }), {
      code: 'bad-argument',
      message: /bind event to "kafak".*did you mean "kafka"/,
    })
    assert.throws(() => bindIntents([]), { code: 'bad-argument', message: /no broker is named/ })
  })
})

describe('lacksForJoining()', () => {
  it('says what agents miss: somebody to ask, or positions for their epochs', () => {
    assert.equal(lacksForJoining(bindIntents(brokers('kafka'))), 'requests')
    assert.equal(lacksForJoining(bindIntents(brokers('rabbitmq'))), 'totalOrder')
    assert.equal(lacksForJoining(bindIntents(brokers('nats-core'))), 'totalOrder')
    assert.equal(lacksForJoining(bindIntents(brokers('jetstream'))), undefined)
    assert.equal(lacksForJoining(bindIntents(brokers('kafka', 'nats-core'))), undefined)
    assert.equal(lacksForJoining(bindIntents(brokers('kafka', 'rabbitmq'))), undefined)
  })
})
