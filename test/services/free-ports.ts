import { randomInt } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'

/** Ports are taken from here up to those the system gives to whoever asks for any. */
const FIRST_PORT = 10_000
/** Where the system's own begin, unless it says otherwise. */
const SYSTEM_PORTS_FROM = 32_768
const BLOCK_PORTS = 32

/** What is left of the blocks this process holds. */
const spare: number[] = []

/**
 * Distinct loopback ports that nobody listens on now. For servers that must be told theirs.
 *
 * They stay free until the server listens, and while it is restarted: they are none that the system gives to whoever
 * connects or listens to port 0, and no other process that takes its ports from here gets them while this one lives.
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = []
  while (ports.length < count) {
    if (spare.length === 0) spare.push(...(await claimBlock()))
    const port = spare.shift()!
    if (await isFree(port)) ports.push(port)
  }
  return ports
}

/** Who listens on the first port of a block holds the others, until its process ends in whatever way. */
async function claimBlock(): Promise<readonly number[]> {
  const blocks = Math.floor(((await systemPortsFrom()) - FIRST_PORT) / BLOCK_PORTS)
  const start = randomInt(blocks)
  for (let tried = 0; tried < blocks; tried += 1) {
    const first = FIRST_PORT + ((start + tried) % blocks) * BLOCK_PORTS
    const guard = await listenOn(first)
    if (guard === undefined) continue
    guard.unref()
    return Array.from({ length: BLOCK_PORTS - 1 }, (_, at) => first + 1 + at)
  }
  throw new Error(`No block of ${BLOCK_PORTS} ports from ${FIRST_PORT} on is free: end servers that are left over`)
}

async function systemPortsFrom(): Promise<number> {
  const range = await readFile('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').catch(() => '')
  return Math.max(Number.parseInt(range, 10) || 0, SYSTEM_PORTS_FROM)
}

async function isFree(port: number): Promise<boolean> {
  const server = await listenOn(port)
  if (server === undefined) return false
  await new Promise((resolve) => server.close(resolve))
  return true
}

/** Nothing when the port is taken. */
function listenOn(port: number): Promise<Server | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<Server | undefined>()
  const server = createServer()
  server.once('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EADDRINUSE') resolve(undefined)
    else reject(error)
  })
  server.listen(port, '127.0.0.1', () => resolve(server))
  return promise
}
