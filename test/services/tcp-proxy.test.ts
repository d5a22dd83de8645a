import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import { TcpProxy } from './tcp-proxy.ts'

/** A proxy before a server that repeats what it is told, and a client of it. */
async function echo(t: TestContext) {
  const server = createServer((socket) => socket.on('error', () => {}).pipe(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const proxy = await TcpProxy.listen()
  proxy.pointTo({ host: '127.0.0.1', port: (server.address() as AddressInfo).port })
  const client = connect(proxy.port, '127.0.0.1').on('error', () => {})
  await once(client, 'connect')
  t.after(async () => {
    client.destroy()
    await proxy.close()
    server.close()
  })
  return { proxy, client }
}

test('what goes in comes out at the other end', async (t) => {
  const { client } = await echo(t)
  client.write('hello')
  const [answer] = await once(client, 'data')
  assert.equal(String(answer), 'hello')
})

test('latency is added either way', async (t) => {
  const { proxy, client } = await echo(t)
  proxy.set({ latencyMs: 50 })
  const begun = performance.now()
  client.write('hello')
  await once(client, 'data')
  assert.ok(performance.now() - begun >= 98)
})

test('bandwidth is bounded', async (t) => {
  const { proxy, client } = await echo(t)
  proxy.set({ bytesPerSecond: 1_000_000 })
  const begun = performance.now()
  client.write(Buffer.alloc(100_000))
  let bytes = 0
  client.on('data', (chunk: Buffer) => {
    bytes += chunk.length
  })
  while (bytes < 100_000) await once(client, 'data')
  assert.ok(performance.now() - begun >= 100)
})

test('a deaf connection stays open and silent; a cut one is gone', async (t) => {
  const { proxy, client } = await echo(t)
  proxy.set({ isDeaf: true })
  let heard = false
  client.on('data', () => {
    heard = true
  })
  client.write('lost')
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.deepEqual([heard, client.destroyed, proxy.connections], [false, false, 1])
  const gone = new Promise((resolve) => client.once('close', resolve))
  proxy.cut()
  await gone
  assert.equal(client.destroyed, true)
})
