import assert from 'node:assert/strict'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { smallDisk } from '../../small-disk.ts'
import { startNode } from './skein.ts'

const DISK_BYTES = 24 * 1024 * 1024
const BALLAST_BYTES = 8 * 1024 * 1024
const TYPED_WITHIN_MS = 1_000
const HEALED_WITHIN_MS = 10_000

test('On a full disk writes are refused within a second and reads go on; with room it heals without a restart', async (t) => {
  const disk = await smallDisk(t, DISK_BYTES)
  if (typeof disk === 'string') return t.skip(disk)
  const ballast = join(disk.path, 'ballast')
  await writeFile(ballast, Buffer.alloc(BALLAST_BYTES))
  const node = await startNode(t, join(disk.path, 'data'))
  const topic = `${node.url}/v1/topics/swarm.events`
  const headers = { 'content-type': 'application/json' }
  await fetch(topic, { method: 'PUT', headers, body: '{"intent":"event","deduplicationWindowMs":0}' })
  let acknowledged = 0
  const publish = async () => {
    const value = { n: acknowledged, filler: 'x'.repeat(500_000) }
    const response = await fetch(`${topic}/messages`, { method: 'POST', headers, body: JSON.stringify({ value }) })
    if (response.status === 200) acknowledged += 1
    return { status: response.status, body: (await response.json()) as { code?: string; retryable?: boolean } }
  }
  const read = async () => {
    const numbers: number[] = []
    for (let from = 'earliest'; ; ) {
      const answer = await (await fetch(`${topic}/messages?from=${from}&max=5`)).json()
      const { messages, next } = answer as { messages: Array<{ value: { n: number } }>; next: string }
      if (messages.length === 0) return numbers
      numbers.push(...messages.map(({ value }) => value.n))
      from = next
    }
  }
  let refusal = await publish()
  let askedAtMs = performance.now()
  while (refusal.status === 200) {
    assert.ok(acknowledged * 500_000 < DISK_BYTES, 'more was acknowledged than the disk can hold')
    askedAtMs = performance.now()
    refusal = await publish()
  }
  assert.ok(performance.now() - askedAtMs < TYPED_WITHIN_MS, 'the refusal took longer than a second')
  assert.deepEqual([refusal.status, refusal.body.code, refusal.body.retryable], [507, 'disk-full', true])
  const all = () => Array.from({ length: acknowledged }, (_, n) => n)
  assert.deepEqual(await read(), all())
  assert.equal((await fetch(`${node.url}/health/ready`)).status, 503)
  await rm(ballast)
  const healedByMs = performance.now() + HEALED_WITHIN_MS
  while ((await publish()).status !== 200) {
    assert.ok(performance.now() < healedByMs, 'it did not heal')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  while ((await fetch(`${node.url}/health/ready`)).status !== 200) {
    assert.ok(performance.now() < healedByMs, 'it is not ready again')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  assert.deepEqual(await read(), all())
  assert.equal(await node.stop('SIGTERM'), 0)
})
