import { SkeinError } from '../../../core/index.ts'

const PATH = '/v1/skein'
const DEFAULT_PORT = '7600'

/** The WebSocket address of a node. Takes `skein://host:port`, `http://` and `ws://`. Throws `bad-argument`. */
export function websocketAddress(url: string): string {
  let parsed: URL
  try {
    // A URL of an unknown scheme has no default port and no host rules: read it as http.
    parsed = new URL(url.replace(/^skein:/, 'http:').replace(/^ws:/, 'http:'))
  } catch (cause) {
    throw badUrl(url, cause)
  }
  if (parsed.protocol !== 'http:' || parsed.hostname === '') throw badUrl(url)
  const port = parsed.port || (url.startsWith('skein:') ? DEFAULT_PORT : '80')
  return `ws://${parsed.hostname}:${port}${PATH}`
}

/** The same endpoint, for the socket that carries telemetry alone. */
export function bulkAddress(url: string): string {
  return `${websocketAddress(url)}?lane=bulk`
}

function badUrl(url: string, cause?: unknown): SkeinError {
  return new SkeinError('bad-argument', `Cannot connect to "${url}": it is no URL like skein://127.0.0.1:7600`, {
    cause,
    details: { url },
  })
}
