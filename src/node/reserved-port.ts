import { once } from 'node:events'
import { createServer } from 'node:net'
import { SkeinError } from '../core/index.ts'

export interface ReservedPort {
  /** Frees it for whoever is to listen there. Idempotent. */
  close(): Promise<void>
}

/**
 * Takes the port before anything is made or opened: a node that cannot have it leaves no trace. Whoever connects
 * meanwhile is cut off, as long as there is nothing to speak to. Rejects with `port-in-use`, or with `io-failed` for an
 * address that cannot be listened on. Port 0 needs no reservation.
 */
export async function reservePort({ host, port }: { host: string; port: number }): Promise<ReservedPort> {
  if (port === 0) return { close: () => Promise.resolve() }
  const server = createServer((socket) => socket.destroy())
  try {
    server.listen({ host: host.replace(/^\[|\]$/g, ''), port })
    await once(server, 'listening')
  } catch (error) {
    throw cannotListen(`${host}:${port}`, error as NodeJS.ErrnoException, { host, port })
  }
  let closed: Promise<void> | undefined
  return {
    close() {
      closed ??= new Promise((resolve) => server.close(() => resolve()))
      return closed
    },
  }
}

function cannotListen(place: string, cause: NodeJS.ErrnoException, address: { host: string; port: number }) {
  if (cause.code === 'EADDRINUSE') {
    const advice = 'another process does; stop it, or choose another port (0 lets the system choose)'
    return new SkeinError('port-in-use', `Cannot listen on ${place}: ${advice}`, { cause, details: address })
  }
  const advice = `the system refuses it (${cause.code ?? cause.message}); choose another port or address`
  const details = { ...address, errno: cause.code }
  return new SkeinError('io-failed', `Cannot listen on ${place}: ${advice}`, { cause, details })
}
