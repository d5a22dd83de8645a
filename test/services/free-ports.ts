import { type AddressInfo, createServer, type Server } from 'node:net'

/** Distinct loopback ports that the system chose and nobody listens on now. For servers that must be told theirs. */
export async function freePorts(count: number): Promise<number[]> {
  const held = await Promise.all(Array.from({ length: count }, () => listen()))
  const ports = held.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

function listen(): Promise<Server> {
  const { promise, resolve, reject } = Promise.withResolvers<Server>()
  const server = createServer()
  server.once('error', reject)
  server.listen(0, '127.0.0.1', () => resolve(server))
  return promise
}
