import type { IncomingMessage } from 'node:http'
import { SkeinError } from '../../core/index.ts'

/**
 * A node on loopback trusts whoever can reach it, but a web page must not reach it through its visitor's browser: a
 * request must name a loopback host (against DNS rebinding), and must not come from a page of another origin.
 */
export function checkLocalRequest(request: IncomingMessage): void {
  const { host, origin } = request.headers
  if (host !== undefined && !isLoopback(`http://${host}`)) {
    throw new SkeinError('unauthorised', `Cannot serve the host "${host}": this node serves loopback names only`)
  }
  if (origin !== undefined && URL.parse(origin)?.host !== host) {
    throw new SkeinError('unauthorised', `Cannot serve the web page of ${origin}: it is of another origin`)
  }
}

function isLoopback(url: string): boolean {
  const name = URL.parse(url)?.hostname
  return name === 'localhost' || name === '[::1]' || (name !== undefined && /^127(\.\d{1,3}){3}$/.test(name))
}
