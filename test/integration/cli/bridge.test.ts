import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext, test } from 'node:test'
import { until } from '../../../test/until.ts'
import { requireService } from '../../services/require-service.ts'
import type { Service } from '../../services/service.ts'
import { skein, skeinJson, spawnSkein, startNode, temporaryDirectory } from './skein.ts'

const TOPIC = 'swarm.sightings'
const LINES = Array.from({ length: 200 }, (_, number) => `sighting ${number}`)

interface Status {
  readonly bridges: ReadonlyArray<{ readonly moved: number; readonly looped: number; readonly lagMessages: number }>
}

const publish = (t: TestContext, url: string) =>
  skeinJson(t, ['pub', TOPIC, '--lines', '--key', 'target-1', '--url', url], LINES.join('\n'))

async function textsOf(t: TestContext, url: string): Promise<readonly string[]> {
  const { stdout } = await skein(t, ['sub', TOPIC, '--from', 'earliest', '--until', 'end', '--json', '--url', url])
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line).text)
}

async function moveAll(t: TestContext, from: string, to: string) {
  const ends = ['--from', from, '--to', to, '--topic', TOPIC]
  const argv = ['bridge', ...ends, '--create', '--durability', 'written', '--until', 'end']
  const { bridges } = await skeinJson<Status>(t, argv)
  return bridges[0]!
}

test('skein bridge moves a topic from node to node once, however often it is started, and refuses what cannot be', async (t) => {
  const [here, there] = [
    await startNode(t, await temporaryDirectory(t)),
    await startNode(t, await temporaryDirectory(t)),
  ]
  await publish(t, here.url)
  const first = await moveAll(t, here.url, there.url)
  assert.deepEqual([first.moved, first.lagMessages], [200, 0])
  assert.equal((await moveAll(t, here.url, there.url)).moved, 0)
  assert.equal((await moveAll(t, there.url, here.url)).looped, 200)
  assert.deepEqual(await textsOf(t, there.url), LINES)
  const argv = (to: string, topic: string) => ['bridge', '--from', here.url, '--to', to, '--topic', topic, '--json']
  assert.equal((await skein(t, argv(here.url, TOPIC))).code, 2)
  assert.equal((await skein(t, argv(there.url, 'swarm.nothing'))).code, 4)
  assert.equal((await skein(t, ['bridge', '--from', here.url])).code, 2)
})

test('a node runs the bridges of its configuration', async (t) => {
  const [here, there] = [
    await startNode(t, await temporaryDirectory(t)),
    await startNode(t, await temporaryDirectory(t)),
  ]
  await publish(t, here.url)
  const folder = await temporaryDirectory(t)
  const bridges = [{ from: { broker: here.url, topic: TOPIC }, to: { broker: there.url }, create: true }]
  const config = { data: join(folder, 'data'), listen: { port: 0 }, bridges: named(bridges) }
  await writeFile(join(folder, 'skein.yaml'), JSON.stringify(config))
  const node = spawnSkein(t, ['up', '--config', join(folder, 'skein.yaml')])
  await until(async () => (await textsOf(t, there.url)).length === LINES.length, { withinMs: 60_000, everyMs: 500 })
  node.kill('SIGTERM')
})

/** A node's address in the file, as the native protocol writes it. */
function named<Spec extends { readonly from: { readonly broker: string }; readonly to: { readonly broker: string } }>(
  specs: readonly Spec[],
) {
  const skeinUrl = (url: string) => url.replace('http://', 'skein://')
  return specs.map((spec) => ({
    ...spec,
    from: { ...spec.from, broker: skeinUrl(spec.from.broker) },
    to: { ...spec.to, broker: skeinUrl(spec.to.broker) },
  }))
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
    await publish(t, node.url)
    const ring = [node.url, ...started.map(({ url }) => url), node.url]
    for (let index = 1; index < ring.length; index += 1) {
      const status = await moveAll(t, ring[index - 1]!, ring[index]!)
      const isHome = index === ring.length - 1
      assert.deepEqual([status.moved, status.looped], isHome ? [0, 200] : [200, 0], ring[index])
    }
    assert.deepEqual(await textsOf(t, node.url), LINES)
  })
})
