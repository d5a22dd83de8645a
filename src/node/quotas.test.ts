import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import Type from 'typebox'
import { systemClock, systemDisk, systemNetwork, systemRandom } from '../core/system/index.ts'
import { command, connect, event, type Fabric, readConfig, telemetry } from '../fabric/index.ts'
import { startNode } from './start-node.ts'

const Position = telemetry('swarm.telemetry.{agentId}', {
  schema: Type.Object({ n: Type.Integer() }),
  key: 'agentId',
})
const Sighting = event('swarm.events.sighting', { schema: Type.Object({ n: Type.Integer() }) })
const Land = command('swarm.commands.{agentId}.land', {
  schema: Type.Object({}),
  startWithinMs: 20_000,
  overlap: 'queue',
})

/** So slow that nothing flows in while a test runs: what may come at once is all that ever may. */
const only = (messages: number) => `{ messagesPerSecond: 0.001, burstSeconds: ${messages * 1_000} }`

async function start(t: TestContext, quotas: string) {
  const data = await mkdtemp(join(tmpdir(), 'skein-quotas-'))
  const ignore = () => {}
  const log = { debug: ignore, info: ignore, error: ignore, warn: ignore }
  const text = `data: ${data}\nlisten: { port: 0 }\nquotas:\n${quotas}\n`
  const config = readConfig({ file: { name: 'skein.yaml', text } })
  const node = await startNode(config, {
    clock: systemClock,
    disk: systemDisk(),
    network: systemNetwork,
    random: systemRandom,
    log,
  })
  const url = node.url.replace('http:', 'skein:')
  const clients: Fabric[] = []
  t.after(async () => {
    await Promise.all(clients.map((fabric) => fabric.close()))
    await node.close()
    await rm(data, { recursive: true, force: true })
  })
  return {
    url: node.url,
    async client(options: { readonly principal?: string } = {}) {
      const fabric = await connect(url, options)
      clients.push(fabric)
      return fabric
    },
  }
}

const overQuota = { code: 'quota-exceeded' }

test('A node refuses what an agent publishes over its quota, whatever its client thinks of it, and still speaks with it', async (t) => {
  const node = await start(t, `  delayMsMax: 0\n  agents: { each: ${only(5)}, named: { drone-9: ${only(7)} } }`)
  const join = async (id: string) => {
    const fabric = await node.client()
    return fabric.join({ id, type: 'quadrotor', region: 'north' })
  }
  for (const [id, may] of [
    ['drone-7', 5],
    ['drone-8', 5],
    ['drone-9', 7],
  ] as const) {
    const drone = await join(id)
    for (let n = 0; n < may; n += 1) await drone.publish(Position, { n })
    await assert.rejects(drone.publish(Position, { n: may }), overQuota)
    await assert.rejects(drone.append(Sighting, { n: may }), overQuota)
    drone.handle(Land, () => {})
    const controller = await node.client()
    assert.equal((await controller.send(Land, id, {})).state, 'done', 'claims, outcomes and pulses are no telemetry')
  }
})

test('A node tells agents of one client apart, and keeps their quotas apart', async (t) => {
  const node = await start(t, `  delayMsMax: 0\n  agents: { each: ${only(3)} }`)
  const fabric = await node.client()
  const [left, right] = await Promise.all(
    ['drone-1', 'drone-2'].map((id) => fabric.join({ id, type: 'quadrotor', region: 'north' })),
  )
  for (let n = 0; n < 3; n += 1) await left!.publish(Position, { n })
  await assert.rejects(left!.publish(Position, { n: 3 }), { ...overQuota, message: /drone-1 is over quota/ })
  for (let n = 0; n < 3; n += 1) await right!.append(Sighting, { n })
  await assert.rejects(right!.append(Sighting, { n: 3 }), { ...overQuota, message: /drone-2 is over quota/ })
})

test('A node has one quota for each principal and topic, over all clients and HTTP', async (t) => {
  const rules = `  delayMsMax: 0\n  principals: { named: { tower: ${only(4)}, anonymous: ${only(3)} } }\n  topics: { named: { swarm.events.sighting: ${only(5)} } }`
  const node = await start(t, rules)
  const towers = [await node.client({ principal: 'tower' }), await node.client({ principal: 'tower' })]
  for (let n = 0; n < 4; n += 1) await towers[n % 2]!.append(Sighting, { n })
  await assert.rejects(towers[0]!.append(Sighting, { n: 4 }), { ...overQuota, message: /tower is over quota/ })
  const publish = (topic: string) =>
    fetch(`${node.url}/v1/topics/${topic}/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"value":{"n":5}}',
    })
  assert.equal((await publish('swarm.events.sighting')).status, 200)
  assert.equal((await publish('swarm.events.sighting')).status, 429, 'of the topic, five are stored')
  const nobody = await node.client()
  await fetch(`${node.url}/v1/topics/swarm.other`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: '{"intent":"event"}',
  })
  assert.equal((await publish('swarm.other')).status, 200)
  assert.equal((await publish('swarm.other')).status, 200)
  assert.equal((await publish('swarm.other')).status, 429, 'whoever names no principal shares one quota')
  await assert.rejects(nobody.append(Sighting, { n: 6 }), overQuota)
})

test('A node delays what comes faster than the quota and keeps it in order, then refuses', async (t) => {
  const node = await start(t, '  delayMsMax: 60000\n  topics: { each: { messagesPerSecond: 20, burstSeconds: 0.05 } }')
  const fabric = await node.client()
  const startedAtMs = systemClock.monotonicMs()
  const sent: Promise<unknown>[] = []
  for (let n = 0; n < 6; n += 1) {
    sent.push(fabric.append(Sighting, { n }))
    // A batch of its own: each is one write of its client.
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await Promise.all(sent)
  const tookMs = systemClock.monotonicMs() - startedAtMs
  assert.ok(tookMs >= 249, `six at 20 a second took ${tookMs} ms`)
  const seen: number[] = []
  for await (const batch of await fabric.consume(Sighting, { group: 'g' })) {
    for (const { value } of batch) seen.push(value.n)
    if (seen.length >= 6) break
  }
  assert.deepEqual(seen, [0, 1, 2, 3, 4, 5])
})

test('A command over quota is refused, not called unknown', async (t) => {
  const node = await start(t, `  delayMsMax: 0\n  topics: { named: { swarm.commands: ${only(1)} } }`)
  const fabric = await node.client()
  const drone = await fabric.join({ id: 'drone-7', type: 'quadrotor', region: 'north' })
  drone.handle(Land, () => {})
  assert.equal((await fabric.send(Land, 'drone-7', {})).state, 'done')
  await assert.rejects(fabric.send(Land, 'drone-7', {}), overQuota)
})
