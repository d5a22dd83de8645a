import assert from 'node:assert/strict'
import { glob, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { until } from '../../until.ts'
import { skein, skeinJson, startNode, temporaryDirectory } from './skein.ts'

/** Flips one bit inside the stored text, in whatever segment it is. */
async function damage(directory: string, text: string): Promise<void> {
  for await (const name of glob('**/*.segment', { cwd: directory })) {
    const path = join(directory, name)
    const bytes = await readFile(path)
    const at = bytes.indexOf(text)
    if (at === -1) continue
    bytes[at]! ^= 1
    await writeFile(path, bytes)
    return
  }
  assert.fail(`nothing stored holds ${text}`)
}

test('A damaged message is corrupt, exit 14; the ones before and behind it stay readable', async (t) => {
  const directory = await temporaryDirectory(t)
  const node = await startNode(t, directory)
  for (const value of ['first', 'second', 'third']) await skeinJson(t, ['pub', 'a.b', value, '--url', node.url])
  await node.stop('SIGTERM')
  await damage(directory, 'second')
  const again = await startNode(t, directory)
  const read = ['sub', 'a.b', '--from', 'earliest', '--until', 'end', '--url', again.url]
  const stopped = await skein(t, read)
  assert.equal(stopped.code, 14)
  assert.match(stopped.stderr, /\(corrupt\)/)
  const skipping = await skein(t, [...read, '--skip-corrupt'])
  assert.equal(skipping.code, 0)
  assert.equal(skipping.stdout, 'a.b\t-\tfirst\na.b\t-\tthird\n')
  assert.match(skipping.stderr, /left out: .*offsets 1 to 1/)
  const response = await fetch(`${again.url}/health/ready`)
  const health = (await response.json()) as { ok: boolean; checks: Record<string, string> }
  assert.equal(health.ok, true)
  assert.match(health.checks.damage!, /^1 quarantined, the first in a\.b\/0 from offset \d+: /)
  const asked = await skein(t, ['doctor', '--url', again.url, '--json'])
  assert.equal(asked.code, 1)
  const told = JSON.parse(asked.stdout).findings.find(({ what }: { what: string }) => what === 'damage')
  assert.equal(told.state, 'broken')
  await until(() => again.errors().includes('What is stored is damaged'))
  await again.stop('SIGTERM')
  const { findings } = JSON.parse((await skein(t, ['doctor', '--data', directory, '--json'])).stdout)
  assert.deepEqual(
    findings.filter(({ state }: { state: string }) => state === 'broken').map(({ what }: { what: string }) => what),
    ['topic a.b'],
  )
})
