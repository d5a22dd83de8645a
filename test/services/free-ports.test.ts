import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { freePorts } from './free-ports.ts'

const HERE = fileURLToPath(new URL('free-ports.ts', import.meta.url))

test('freePorts() never gives a port twice, nor one that the system gives to whoever asks for any', async () => {
  const ports = [...(await freePorts(5)), ...(await freePorts(50))]
  assert.equal(new Set(ports).size, 55)
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  for (const own of ports) assert.ok(own < Math.min(port, 32_768), `${own} and ${port}`)
})

test('freePorts() passes over a port that somebody listens on', async (t) => {
  const [port] = await freePorts(1)
  const server = createServer()
  t.after(() => server.close())
  await once(server.listen(port! + 1, '127.0.0.1'), 'listening')
  assert.notEqual((await freePorts(1))[0], port! + 1)
})

test('processes that take ports at the same time get different ones', async () => {
  const code = `import { freePorts } from ${JSON.stringify(HERE)}; console.log(JSON.stringify(await freePorts(40))); await new Promise((resolve) => setTimeout(resolve, 500))`
  const run = () => promisify(execFile)(process.execPath, ['--input-type=module', '-e', code])
  const mine = await freePorts(40)
  const theirs = (await Promise.all([run(), run(), run()])).flatMap(({ stdout }) => JSON.parse(stdout) as number[])
  assert.equal(new Set([...mine, ...theirs]).size, 160)
})
