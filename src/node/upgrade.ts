import { type IncomingMessage, type Server, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { checkLocalRequest } from '../gateway/http/index.ts'

export interface UpgradeTaker {
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
}

/** Hands upgrades to the native protocol's gateway, under the same rules as any other request. */
export function takeUpgrades(server: Server, taker: UpgradeTaker): void {
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    try {
      checkLocalRequest(request)
    } catch (error) {
      return refuse(socket, (error as Error).message)
    }
    taker.handleUpgrade(request, socket, head)
  })
}

function refuse(socket: Duplex, reason: string): void {
  socket.on('error', () => socket.destroy())
  socket.end(
    `HTTP/1.1 403 ${STATUS_CODES[403]}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n` +
      `Content-Length: ${Buffer.byteLength(reason)}\r\n\r\n${reason}`,
  )
}
