import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import Type from 'typebox'
import { channelsInMemory } from '../../../test/channels-in-memory.ts'
import { TcpProxy } from '../../../test/services/tcp-proxy.ts'
import { openEmbeddedBus } from '../../bus/drivers/embedded/index.ts'
import { connectRemoteBus } from '../../bus/drivers/remote/index.ts'
import { memoryDisk } from '../../core/index.ts'
import { systemClock, systemRandom } from '../../core/system/index.ts'
import { websocketGateway } from '../../gateway/websocket/index.ts'
import { readToEnd } from '../../transfer/index.ts'
import { readDeadLetters } from '../consume/dead-letters.ts'
import { event } from '../event.ts'

const [clock, random] = [systemClock, systemRandom]
const TOPIC = 'sightings'
const COUNT = 20
/** So that all of them together are more than a reader has room for: they come in stages. */
const PAD = 'x'.repeat(64 * 1024)

const Seen = event(TOPIC, { schema: Type.Object({ n: Type.Integer(), pad: Type.String() }), deduplicationWindowMs: 0 })

/** A node with some messages, and a bus to it over a link with latency: an answer takes longer than anybody waits for more. */
async function farNode(t: TestContext, latencyMs: number) {
  const near = await openEmbeddedBus({ disk: memoryDisk(), clock, random, directory: 'data' })
  const gateway = websocketGateway({ bus: near, clock, random })
  const server = createServer()
  server.on('upgrade', (request, socket, head) => gateway.handleUpgrade(request, socket, head))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const proxy = await TcpProxy.listen()
  proxy.pointTo({ host: '127.0.0.1', port: (server.address() as AddressInfo).port })
  const far = await connectRemoteBus({ url: `skein://127.0.0.1:${proxy.port}`, clock, random })
  t.after(async () => {
    await far.close()
    await proxy.close()
    await gateway.close()
    await near.close()
    server.close()
  })
  const { channels } = await channelsInMemory(t, { bus: near })
  for (let n = 0; n < COUNT; n += 1) await channels.append(Seen, { n, pad: PAD })
  proxy.set({ latencyMs })
  return { near, far, channels }
}

test('over a link with latency a view is ready, and has reached a receipt, only when it is folded in', async (t) => {
  const { far, channels: nearby } = await farNode(t, 60)
  const { channels } = await channelsInMemory(t, { bus: far })
  const fold = (state: { readonly n: number }) => ({ n: state.n + 1 })
  const view = await channels.view(Seen, { name: 'count', initial: () => ({ n: 0 }), fold })
  await view.ready()
  assert.equal(view.state.n, COUNT)
  for (let more = 1; more <= 3; more += 1) {
    await view.reached(await nearby.append(Seen, { n: COUNT + more, pad: '' }))
    assert.equal(view.state.n, COUNT + more)
  }
  await view.close()
})

test('over a link with latency reading to the end gives everything up to there', async (t) => {
  const { far } = await farNode(t, 160)
  let count = 0
  const from = [{ partition: 0, sequence: 0 }]
  for await (const deliveries of readToEnd(far, TOPIC, { from })) count += deliveries.length
  assert.equal(count, COUNT)
})

test('over a link with latency the list of dead letters is whole', async (t) => {
  const { near, far } = await farNode(t, 280)
  const reader = near.reader(TOPIC, { mode: 'group', group: 'map' })
  for (let dead = 0; dead < COUNT; ) {
    const { deliveries } = (await reader.read({ waitMs: 10_000 }))!
    await reader.settle(deliveries, 'dead', { error: 'no' })
    dead += deliveries.length
  }
  assert.equal((await readDeadLetters(far, { topic: TOPIC })).length, COUNT)
})
