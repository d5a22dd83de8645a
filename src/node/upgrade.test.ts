import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import { NOT_LOOPBACK, otherOrigins } from '../../test/near-misses.ts'
import { takeUpgrades } from './upgrade.ts'

async function serve(context: TestContext) {
  const server = createServer()
  const taker = new WebSocketServer({ noServer: true })
  takeUpgrades(server, {
    handleUpgrade: (request, socket, head) => taker.handleUpgrade(request, socket, head, (taken) => taken.close()),
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  context.after(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** The status of the answer to an upgrade: 101 when it was handed on. */
async function statusOf(url: string, headers: Readonly<Record<string, string>>): Promise<number> {
  const socket = new WebSocket(url, { headers })
  socket.on('error', () => {})
  const status = Promise.withResolvers<number>()
  socket.on('unexpected-response', (_, response) => {
    response.resume()
    status.resolve(response.statusCode!)
  })
  socket.on('upgrade', (response) => status.resolve(response.statusCode!))
  return status.promise
}

test('An upgrade for a host that only looks like loopback is refused', async (context) => {
  const url = await serve(context)
  const { port } = new URL(url)
  for (const host of NOT_LOOPBACK) assert.equal(await statusOf(url, { host: `${host}:${port}` }), 403, host)
  for (const host of ['127.0.0.1', '127.9.8.7', 'localhost', '[::1]']) {
    assert.equal(await statusOf(url, { host: `${host}:${port}` }), 101, host)
  }
})

test('An upgrade from a page of another origin on this machine is refused, by port and by name', async (context) => {
  const url = await serve(context)
  assert.equal(await statusOf(url, {}), 101)
  assert.equal(await statusOf(url, { origin: url }), 101)
  for (const origin of otherOrigins(url)) assert.equal(await statusOf(url, { origin }), 403, origin)
})
