import { SkeinError } from '../core/index.ts'
import type { Binding } from './binding/binding.ts'
import { brokerKind } from './binding/broker-kind.ts'

/** Where a fabric connects to. */
export type ConnectTarget =
  /** Brokers, each for the intents that are bound to it. */
  | { readonly kind: 'brokers'; readonly binding: Binding }
  /** In this process, gone with it. */
  | { readonly kind: 'memory' }
  /** In this process, on its disk. */
  | { readonly kind: 'embedded'; readonly directory: string }
  /** A node, over its socket. */
  | { readonly kind: 'remote'; readonly url: string }

const FORMS =
  '"memory:", "embedded:DIRECTORY", "skein://HOST:PORT", "kafka://HOST:PORT", "nats://HOST:PORT", "amqp://HOST:PORT" or a binding'

/** What a broker that is the only one is called in messages, where its kind is no name. */
const NAMES: Readonly<Record<string, string>> = { jetstream: 'nats' }

/** Reads a target. Throws `bad-argument` naming the forms there are. */
export function parseTarget(target: string | Binding): ConnectTarget {
  if (typeof target === 'object' && target !== null) return { kind: 'brokers', binding: target }
  if (typeof target !== 'string') throw badTarget(String(target), `it must be ${FORMS}`)
  if (target === 'memory:') return { kind: 'memory' }
  if (target.startsWith('embedded:')) {
    const directory = target.slice('embedded:'.length)
    if (directory === '') throw badTarget(target, 'it names no directory')
    return { kind: 'embedded', directory }
  }
  if (/^(skein|ws|wss|http|https):\/\//.test(target)) return { kind: 'remote', url: checkUrl(target) }
  const kind = brokerKind(target)
  if (kind !== undefined) return { kind: 'brokers', binding: { brokers: { [NAMES[kind] ?? kind]: target } } }
  throw badTarget(target, `it must be ${FORMS}`)
}

function checkUrl(target: string): string {
  const url = URL.parse(target)
  if (url === null || url.hostname === '') throw badTarget(target, 'it names no host, as in skein://127.0.0.1:7600')
  return target
}

function badTarget(target: string, why: string): SkeinError {
  return new SkeinError('bad-argument', `Cannot connect to "${withoutSecrets(target)}": ${why}`, { details: { why } })
}

/** An address may carry a password. */
function withoutSecrets(target: string): string {
  return target.replace(/\/\/[^/@]*@/, '//…@')
}
