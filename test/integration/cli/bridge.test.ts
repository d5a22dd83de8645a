import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { until } from '../../../test/until.ts'
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
