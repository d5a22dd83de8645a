/** Three brokers in three racks: what replication gives, and what is seen of it when one is gone. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { connectKafkaBus, type KafkaBus } from '../../../src/bus/drivers/kafka/index.ts'
import { systemClock, systemRandom } from '../../../src/core/system/index.ts'
import type { Service } from '../../services/service.ts'
import { until } from '../../until.ts'
import { kafka, take, texts } from './kafka-broker.ts'

const TOPIC = 'replicas.events'
/** A broker that begins on a busy machine takes its time, and so does a new copy. */
const PATIENCE = { withinMs: 90_000, everyMs: 250 }

describe('three brokers', { skip: kafka.skip }, () => {
  let service: Service
  let bus: KafkaBus
  before(async () => {
    service = await kafka.start({ nodes: 3, mortal: true })
    const hosts = service.urls.map((url) => new URL(url).host)
    bus = await connectKafkaBus({ url: `kafka://${hosts.join(',')}`, clock: systemClock, random: systemRandom })
  })
  after(async () => {
    await bus.close()
    await service.stop()
  })

  test('an event topic is replicated, and its receipts say so', async () => {
    const { durability } = await bus.open({ name: TOPIC, intent: 'event', partitions: 3, racks: 3 })
    assert.equal(durability, 'replicated')
    const { spec } = await bus.admin.describeTopic(TOPIC)
    assert.deepEqual([spec.replicationFactor, spec.minInSyncReplicas], [3, 2])
    const receipt = await bus.writer(TOPIC).write([{ subject: TOPIC, key: 'k', value: '0' }])
    assert.equal(receipt.durability, 'replicated')
  })

  test('fewer replicas grant no more than written, and more racks than there are is refused', async () => {
    const spec = { name: 'replicas.two', intent: 'telemetry', replicationFactor: 2 } as const
    assert.equal((await bus.open(spec)).durability, 'written')
    await assert.rejects(bus.open({ ...spec, name: 'replicas.racks', racks: 4 }), { code: 'unsupported' })
    await assert.rejects(bus.open({ ...spec, name: 'replicas.safe', durability: 'safe' }), { code: 'unsupported' })
  })

  test('with one broker gone writing and reading go on, and health tells; an empty one in its place makes it whole', async () => {
    assert.deepEqual(await counts(bus), [0, 0, 0])
    const [node] = service.nodes
    await node!.kill()
    await until(async () => (await counts(bus))[0] === 3, PATIENCE)
    const receipt = await bus.writer(TOPIC).write([{ subject: TOPIC, key: 'k', value: '1' }])
    assert.equal(receipt.durability, 'replicated')
    await node!.erase()
    await node!.start()
    await until(async () => (await counts(bus))[0] === 0, PATIENCE)
    const reader = bus.reader(TOPIC, { mode: 'group', group: 'g' })
    assert.deepEqual(texts(await take(reader, 2)), ['0', '1'])
    await reader.close()
  })
})

async function counts(bus: KafkaBus): Promise<readonly number[]> {
  const { underReplicated, leaderless, inOneRack } = await bus.admin.health(TOPIC)
  return [underReplicated, leaderless, inOneRack]
}
