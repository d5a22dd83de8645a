import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import Type from 'typebox'
import { connect } from '../connect.ts'
import { contract } from '../contract.ts'
import { event, telemetry } from '../index.ts'
import { configuredTarget } from './configured-target.ts'

async function file(t: TestContext, text: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'skein-config-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  const path = join(directory, 'skein.yaml')
  await writeFile(path, text)
  return path
}

test('connect({ config }) binds a contract to the brokers that the file names', async (t) => {
  const Sighting = event('swarm.sightings.{name}', { schema: Type.Object({ name: Type.String() }), key: 'name' })
  const Position = telemetry('swarm.positions.{name}', { schema: Type.Object({ name: Type.String() }), key: 'name' })
  const config = await file(
    t,
    'brokers:\n  one: { url: "memory:", safe: none }\n  two: { url: "memory:", safe: none }\nbind: { event: two, telemetry: one }\n',
  )
  const fabric = await connect({ config }, { contract: contract({ Sighting, Position }) })
  t.after(() => fabric.close())
  assert.equal(fabric.bus.name, 'one+two')
  assert.equal((await fabric.append(Sighting, { name: 'x' })).durability, 'none')
})

test('A file without brokers names the node that listens as it says', async (t) => {
  const here = await file(t, 'data: ./data\nlisten: { port: 7700 }\n')
  assert.equal(await configuredTarget({ config: here }), 'skein://127.0.0.1:7700')
  const six = await file(t, 'data: ./data\nlisten: { host: "::1" }\n')
  assert.equal(await configuredTarget({ config: six }), 'skein://[::1]:7600')
})

test('A mistake in the file names its line and the nearest key, and a missing file is not found', async (t) => {
  const config = await file(t, 'brokers:\n  one: { url: "memory:" }\nbnid: { event: one }\n')
  await assert.rejects(connect({ config }), {
    code: 'bad-config',
    message: /:3: unknown key "bnid"; did you mean "bind"\?/,
  })
  await assert.rejects(connect({ config: `${config}.none` }), { code: 'not-found' })
})
