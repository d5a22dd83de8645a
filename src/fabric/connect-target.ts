import { SkeinError } from '../core/index.ts'

/** Where a fabric connects to. */
export type ConnectTarget =
  /** In this process, gone with it. */
  | { readonly kind: 'memory' }
  /** In this process, on its disk. */
  | { readonly kind: 'embedded'; readonly directory: string }
  /** A node, over its socket. */
  | { readonly kind: 'remote'; readonly url: string }

const FORMS = '"memory:", "embedded:DIRECTORY" or "skein://HOST:PORT"'

/** Reads a target. Throws `bad-argument` naming the forms there are. */
export function parseTarget(target: string): ConnectTarget {
  if (target === 'memory:') return { kind: 'memory' }
  if (target.startsWith('embedded:')) {
    const directory = target.slice('embedded:'.length)
    if (directory === '') throw badTarget(target, 'it names no directory')
    return { kind: 'embedded', directory }
  }
  if (/^(skein|ws|wss|http|https):\/\//.test(target)) return { kind: 'remote', url: checkUrl(target) }
  throw badTarget(target, `it must be ${FORMS}`)
}

function checkUrl(target: string): string {
  const url = URL.parse(target)
  if (url === null || url.hostname === '') throw badTarget(target, 'it names no host, as in skein://127.0.0.1:7600')
  return target
}

function badTarget(target: string, why: string): SkeinError {
  return new SkeinError('bad-argument', `Cannot connect to "${target}": ${why}`, { details: { target, why } })
}
