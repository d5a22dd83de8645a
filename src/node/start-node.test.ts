import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { atEnd } from '../../test/at-end.ts'
import type { Clock } from '../core/index.ts'
import { systemClock, systemDisk, systemNetwork, systemRandom } from '../core/system/index.ts'
import { connect, readConfig } from '../fabric/index.ts'
import type { NodeLog } from './node-log.ts'
import { startNode } from './start-node.ts'

const HOUR_MS = 3_600_000

async function start(t: TestContext, data: string, offsetMs: number) {
  const warnings: string[] = []
  const ignore = () => {}
  const log: NodeLog = { debug: ignore, info: ignore, error: ignore, warn: (message) => warnings.push(message) }
  const clock: Clock = { ...systemClock, nowMs: () => Date.now() + offsetMs }
  const config = readConfig({ flags: { data, 'listen.port': 0 } })
  const node = await startNode(config, { clock, disk: systemDisk(), network: systemNetwork, random: systemRandom, log })
  atEnd(t, () => node.close())
  return { node, warnings }
}

/** Publishes to a new topic, and gives when the node says it appended that. */
async function appendedAtMs(url: string, topic: string): Promise<number> {
  const path = `${url}/v1/topics/${topic}`
  const headers = { 'content-type': 'application/json' }
  await fetch(path, { method: 'PUT', headers, body: '{"intent":"event"}' })
  await fetch(`${path}/messages`, { method: 'POST', headers, body: '{"value":1}' })
  const { messages } = (await (await fetch(`${path}/messages?from=earliest`)).json()) as {
    messages: Array<{ appendedAtMs: number }>
  }
  return messages[0]!.appendedAtMs
}

test("A node's time goes on from what is stored when the machine's clock was set back meanwhile, and it says so", async (t) => {
  const data = await mkdtemp(join(tmpdir(), 'skein-node-time-'))
  atEnd(t, () => rm(data, { recursive: true, force: true }))
  const first = await start(t, data, HOUR_MS)
  const toldMs = await appendedAtMs(first.node.url, 'one')
  assert.deepEqual(first.warnings, [])
  await first.node.close()
  const second = await start(t, data, 0)
  assert.ok((await appendedAtMs(second.node.url, 'two')) >= toldMs)
  assert.match(second.warnings[0]!, /clock is behind/)
})

test('A node closes while clients are connected to it, and so do they when it is gone', async (t) => {
  const data = await mkdtemp(join(tmpdir(), 'skein-node-close-'))
  atEnd(t, () => rm(data, { recursive: true, force: true }))
  const { node } = await start(t, data, 0)
  const fabric = await connect(node.url.replace('http:', 'skein:'))
  await fabric.join({ id: 'drone-7', type: 'quadrotor', region: 'north' })
  await node.close()
  await fabric.close()
})
