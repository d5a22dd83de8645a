import assert from 'node:assert/strict'
import { after, before, describe, it, type TestContext } from 'node:test'
import { requireService } from '../../services/require-service.ts'
import type { Service } from '../../services/service.ts'
import { skeinJson, startNode, temporaryDirectory } from '../cli/skein.ts'

const TOPIC = 'swarm.sightings'
const LINES = Array.from({ length: 200 }, (_, number) => `sighting ${number}`)

async function moveAll(t: TestContext, from: string, to: string) {
  const ends = ['--from', from, '--to', to, '--topic', TOPIC]
  const argv = ['bridge', ...ends, '--create', '--durability', 'written', '--until', 'end']
  const { bridges } = await skeinJson<{ bridges: ReadonlyArray<{ moved: number; looped: number }> }>(t, argv)
  return bridges[0]!
}

const services = [await requireService('nats'), await requireService('kafka'), await requireService('rabbitmq')]
const skip = services.find((service) => service.skip !== false)?.skip ?? false

describe('bridges in a ring of a node, JetStream, Kafka and RabbitMQ', { skip, timeout: 600_000 }, () => {
  let started: readonly Service[] = []

  before(async () => {
    started = await Promise.all(services.map((service) => service.start()))
  })
  after(() => Promise.all(started.map((service) => service.stop())))

  it('move everything to each once, and nothing back to where it came from', async (t) => {
    const node = await startNode(t, await temporaryDirectory(t))
    await skeinJson(t, ['pub', TOPIC, '--lines', '--key', 'target-1', '--url', node.url], LINES.join('\n'))
    const ring = [node.url, ...started.map(({ url }) => url), node.url]
    for (let index = 1; index < ring.length; index += 1) {
      const status = await moveAll(t, ring[index - 1]!, ring[index]!)
      const isHome = index === ring.length - 1
      assert.deepEqual([status.moved, status.looped], isHome ? [0, 200] : [200, 0], ring[index])
    }
  })
})
