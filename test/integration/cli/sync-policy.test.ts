import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { skein, skeinJson, startNode, temporaryDirectory } from './skein.ts'

test('A node that leaves syncing to the system grants written, says so, and refuses durable', async (t) => {
  const directory = await temporaryDirectory(t)
  const file = join(directory, 'skein.yaml')
  await writeFile(file, 'log:\n  sync: os\n')
  const node = await startNode(t, join(directory, 'data'), ['--config', file])
  const at = ['--url', node.url]
  const refused = await skein(t, ['topics', 'create', 'a.b', '--durability', 'durable', ...at])
  assert.equal(refused.code, 5)
  assert.match(refused.stderr, /sync policy.*\(unsupported\)/)
  await skeinJson(t, ['topics', 'create', 'a.b', '--durability', 'written', ...at])
  const receipt = await skeinJson<{ durability: string }>(t, ['pub', 'a.b', 'x', ...at])
  assert.equal(receipt.durability, 'written')
  await skeinJson(t, ['topics', 'create', 'swarm.commands', '--intent', 'command', '--durability', 'written', ...at])
  assert.equal((await skein(t, ['send', 'drone-7', 'land', ...at])).code, 4)
})
