/** A broker that speaks TLS, and certificates that fit or do not. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { connectRabbitmqBus, type RabbitmqBusOptions } from '../../../src/bus/drivers/rabbitmq/index.ts'
import { systemClock, systemRandom } from '../../../src/core/system/index.ts'
import { freePorts } from '../../services/free-ports.ts'
import { requireService } from '../../services/require-service.ts'
import { type Certificates, makeCertificates } from '../certificates.ts'

const service = await requireService('rabbitmq')
const { skip } = service
const TOPIC = { name: 'secret.readings', intent: 'telemetry' } as const

async function securedBroker(t: TestContext): Promise<Certificates & { readonly port: number }> {
  const certificates = await makeCertificates(t)
  const [port] = (await freePorts(1)) as [number]
  const { caFile, certFile, keyFile } = certificates
  const config = [
    `listeners.ssl.1 = 127.0.0.1:${port}`,
    `ssl_options.cacertfile = ${caFile}`,
    `ssl_options.certfile = ${certFile}`,
    `ssl_options.keyfile = ${keyFile}`,
  ].join('\n')
  const own = await service.start({ mortal: true, settings: { config } })
  t.after(() => own.stop())
  return { ...certificates, port }
}

async function connect(t: TestContext, url: string, options: Partial<RabbitmqBusOptions> = {}) {
  const bus = await connectRabbitmqBus({
    url,
    clock: systemClock,
    random: systemRandom,
    connectTimeoutMs: 500,
    ...options,
  })
  t.after(() => bus.close())
  return bus
}

test('over TLS messages pass; a certificate that nobody trusts is refused, and so is plain text', {
  skip,
}, async (t) => {
  const { port, ca } = await securedBroker(t)
  const url = `amqps://guest:guest@127.0.0.1:${port}`
  const bus = await connect(t, url, { tls: { ca }, connectTimeoutMs: 20_000 })
  await bus.open(TOPIC)
  const reader = bus.reader(TOPIC.name, { mode: 'broadcast', from: 'earliest' })
  await bus.writer(TOPIC.name).write([{ subject: TOPIC.name, value: 'whispered' }])
  const batch = await reader.read({ waitMs: 30_000 })
  assert.deepEqual(
    batch?.deliveries.map((delivery) => delivery.text()),
    ['whispered'],
  )

  await assert.rejects(connect(t, url), (error: Error & { code?: string }) => {
    assert.equal(error.code, 'unauthorised')
    assert.match(error.message, /certificate/)
    assert.doesNotMatch(error.message, /guest/)
    return true
  })
  await assert.rejects(connect(t, url.replace('amqps:', 'amqp:')), (error: Error & { code?: string }) => {
    assert.equal(error.code, 'connection-lost')
    assert.match(error.message, /amqps:/)
    return true
  })
})
