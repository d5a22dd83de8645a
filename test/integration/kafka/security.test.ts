/** Credentials and TLS that do not fit, and a broker that is not there: each its own error, at once or within its bound. */
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { connectKafkaBus, type KafkaBusOptions, type KafkaStatus } from '../../../src/bus/drivers/kafka/index.ts'
import { SkeinError } from '../../../src/core/index.ts'
import { systemClock, systemRandom } from '../../../src/core/system/index.ts'
import { freePorts } from '../../services/free-ports.ts'
import { runTool } from '../../services/run-tool.ts'
import { type Broker, busOf, kafka, startBroker } from './kafka-broker.ts'

function connect(port: number, options: Partial<KafkaBusOptions> = {}) {
  const url = `kafka://127.0.0.1:${port}`
  return connectKafkaBus({ url, clock: systemClock, random: systemRandom, connectTimeoutMs: 20_000, ...options })
}

async function failsWith(code: string, connecting: Promise<{ close(): Promise<void> }>): Promise<SkeinError> {
  const error = await connecting.then(
    (bus) => bus.close().then(() => undefined),
    (cause: unknown) => cause,
  )
  assert.ok(error instanceof SkeinError, `expected ${code}, got ${error}`)
  assert.equal(error.code, code, error.message)
  return error
}

describe('a broker with passwords', { skip: kafka.skip }, () => {
  let broker: Broker
  let port: number
  before(async () => {
    ;[port] = (await freePorts(1)) as [number]
    const jaas = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_swarm="geheim";'
    broker = await startBroker({
      'secured.protocol': 'SASL_PLAINTEXT',
      'secured.port': String(port),
      'sasl.enabled.mechanisms': 'PLAIN',
      'listener.name.secured.plain.sasl.jaas.config': jaas,
    })
  })
  after(() => broker.stop())

  test('the right password connects, and messages pass', async () => {
    const sasl = { mechanism: 'PLAIN', username: 'swarm', password: async () => 'geheim' } as const
    const bus = await connect(port, { sasl })
    assert.equal(bus.status.state, 'connected')
    await bus.close()
  })

  test('a wrong password is unauthorised at once, and is not repeated in the error', async () => {
    const begun = performance.now()
    const sasl = { mechanism: 'PLAIN', username: 'swarm', password: 'falsch' } as const
    const error = await failsWith('unauthorised', connect(port, { sasl }))
    assert.ok(performance.now() - begun < 15_000, 'it went on trying')
    assert.ok(!error.message.includes('falsch'))
  })

  test('TLS towards a broker without it is bad-config', async () => {
    const { port: plain } = new URL(broker.service.url)
    await failsWith('bad-config', connect(Number(plain), { tls: { rejectUnauthorized: false } }))
  })

  test('a broker that goes away and comes back is visible, and what was written meanwhile is stored', async (t) => {
    const seen: KafkaStatus['state'][] = []
    const bus = await busOf(t, broker, { onStatus: ({ state }) => seen.push(state), retryForMs: 120_000 })
    await bus.open({ name: 'away.topic', intent: 'telemetry' })
    const [node] = broker.service.nodes
    await node!.kill()
    const stored = bus.writer('away.topic').write([{ subject: 'away.topic', value: 'x' }])
    await node!.start()
    assert.equal((await stored).accepted, 1)
    assert.deepEqual(seen.slice(0, 3), ['connected', 'disconnected', 'connected'])
  })
})

describe('a broker with TLS', { skip: kafka.skip }, () => {
  let broker: Broker
  let port: number
  let folder: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'skein-kafka-tls-'))
    const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost']
    const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', certificate]
    await runTool('openssl', [...request, ...names])
    const store = join(folder, 'store.p12')
    const pack = ['pkcs12', '-export', '-in', certificate, '-inkey', key, '-out', store, '-passout', 'pass:geheim1']
    await runTool('openssl', pack)
    ;[port] = (await freePorts(1)) as [number]
    broker = await startBroker({
      'secured.protocol': 'SSL',
      'secured.port': String(port),
      'listener.name.secured.ssl.keystore.location': store,
      'listener.name.secured.ssl.keystore.type': 'PKCS12',
      'listener.name.secured.ssl.keystore.password': 'geheim1',
    })
  })
  after(async () => {
    await broker.stop()
    await rm(folder, { recursive: true, force: true })
  })

  test('a certificate that is trusted connects', async () => {
    const ca = await readFile(join(folder, 'cert.pem'), 'utf8')
    const bus = await connect(port, { tls: { ca } })
    await bus.close()
  })

  test('a certificate that nobody trusts is bad-config', async () => {
    await failsWith('bad-config', connect(port, { tls: {} }))
  })

  test('no TLS towards a broker that wants it is bad-config', async () => {
    await failsWith('bad-config', connect(port))
  })
})

test('a broker that is not there is connection-lost within its bound', async () => {
  const [port] = await freePorts(1)
  const begun = performance.now()
  const error = await failsWith('connection-lost', connect(port!, { connectTimeoutMs: 500 }))
  assert.ok(error.retryable)
  assert.ok(performance.now() - begun < 10_000)
})
