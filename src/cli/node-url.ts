import { SkeinError } from '../core/index.ts'

export const DEFAULT_URL = 'skein://127.0.0.1:7600'

/** The address of a node as `skein://host:port`, from any form people have at hand: http://, ws://, or host:port. */
export function nodeUrl(text: string): string {
  const candidate = /^[a-z]+:\/\//i.test(text) ? text : `skein://${text}`
  const match = /^(skein|http|ws):\/\//i.exec(candidate)
  // Read as a scheme of ours: the parser drops a port that is the default of its own schemes.
  const parsed = match && URL.parse(`skein://${candidate.slice(match[0].length)}`)
  if (!parsed || parsed.hostname === '' || parsed.username !== '' || !['', '/'].includes(parsed.pathname)) {
    throw new SkeinError('bad-argument', `Cannot use "${text}" as a node's address: give skein://host:port`)
  }
  const port = parsed.port === '' ? (match[1]!.toLowerCase() === 'skein' ? '7600' : '80') : parsed.port
  return `skein://${parsed.hostname}:${port}`
}

/** What a transfer is given: a broker's address as it stands; `host:port` is a node's. */
export function brokerAddress(text: string): string {
  return /^[a-z]+:\/\/|^embedded:/.test(text) ? text : nodeUrl(text)
}
