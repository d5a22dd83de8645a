import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import { reservePort } from './reserved-port.ts'

const HOST = '127.0.0.1'

async function takenPort(t: TestContext): Promise<number> {
  const server = createServer().listen(0, HOST)
  await once(server, 'listening')
  t.after(() => server.close())
  return (server.address() as { port: number }).port
}

test('reservePort() refuses a port that is taken, and an address that is none of this machine', async (t) => {
  const port = await takenPort(t)
  await assert.rejects(reservePort({ host: HOST, port }), { code: 'port-in-use', details: { host: HOST, port } })
  // 192.0.2.0/24 is for documentation (RFC 5737): no machine has it.
  await assert.rejects(reservePort({ host: '192.0.2.1', port }), { code: 'io-failed', message: /192\.0\.2\.1.*EADDR/ })
})

test('A reserved port is free again when it is given up', async (t) => {
  const server = createServer().listen(0, HOST)
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  const first = await reservePort({ host: HOST, port })
  t.after(() => first.close())
  await assert.rejects(reservePort({ host: HOST, port }), { code: 'port-in-use' })
  await Promise.all([first.close(), first.close()])
  await (await reservePort({ host: HOST, port })).close()
})
