import { SkeinError } from '../../core/index.ts'
import type { NodeId } from '../../raft/index.ts'

/** The version of everything that members say to each other. */
export const PROTOCOL = 1

/** Who a member is. The incarnation was drawn when its data directory was made: another one under its id is an impostor. */
export interface Identity {
  readonly cluster: string
  readonly node: NodeId
  readonly incarnation: string
  /** Receipts rely on what every member's disk survives. */
  readonly storage: 'real' | 'memory'
}

/** The first frame of a connection. */
export interface Greeting extends Identity {
  readonly protocol: number
  readonly to: NodeId
  /** Where the sender takes connections, `host:port`. */
  readonly address: string
  readonly lane: 'messages' | 'snapshot'
}

/** What comes back: who was reached, or why nothing will be taken. */
export type GreetingAnswer = Identity | { readonly refusal: Refusal }

export interface Refusal {
  readonly code: 'wrong-cluster' | 'id-reused' | 'future-version' | 'bad-input'
  readonly message: string
}

const TEXT_MAX = 512
const REFUSALS: readonly string[] = ['wrong-cluster', 'id-reused', 'future-version', 'bad-input']

export function encodeGreeting(greeting: Greeting | GreetingAnswer): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(greeting))
}

/** Throws `malformed-frame`, and `future-version` for a peer of a later protocol. */
export function decodeGreeting(bytes: Uint8Array): Greeting {
  const plain = parse(bytes)
  if (isId(plain.protocol) && plain.protocol > PROTOCOL) {
    const message = `Cannot speak with a peer: it speaks version ${plain.protocol}, this build up to ${PROTOCOL}; update it`
    throw new SkeinError('future-version', message)
  }
  const { protocol, to, address, lane } = plain
  const isWhole = protocol === PROTOCOL && isId(to) && isText(address) && (lane === 'messages' || lane === 'snapshot')
  if (!isWhole) throw malformed()
  return { ...identity(plain), protocol, to, address, lane }
}

/** Throws `malformed-frame`. */
export function decodeGreetingAnswer(bytes: Uint8Array): GreetingAnswer {
  const plain = parse(bytes)
  if (plain.refusal === undefined) return identity(plain)
  const { code, message } = plain.refusal as { readonly code?: unknown; readonly message?: unknown }
  if (typeof code !== 'string' || !REFUSALS.includes(code) || !isText(message)) throw malformed()
  return { refusal: { code: code as Refusal['code'], message } }
}

function identity({ cluster, node, incarnation, storage }: Record<string, unknown>): Identity {
  const hasTexts = isText(cluster) && isText(incarnation) && (storage === 'real' || storage === 'memory')
  if (!isId(node) || !hasTexts) throw malformed()
  return { cluster, node, incarnation, storage }
}

function parse(bytes: Uint8Array): Record<string, unknown> {
  try {
    const plain: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    if (typeof plain === 'object' && plain !== null) return plain as Record<string, unknown>
  } catch {
    // Said below.
  }
  throw malformed()
}

function isId(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= TEXT_MAX
}

function malformed(): SkeinError {
  return new SkeinError('malformed-frame', 'Cannot speak with a peer: its greeting makes no sense')
}
