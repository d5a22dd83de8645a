import type { Msg } from '@nats-io/transport-node'

/** What the server says of a message it delivers, in the subject that would acknowledge it. */
export interface StoredMessage {
  readonly message: Msg
  /** In the stream, where it is not the message's own. */
  readonly subject?: string
  /** Of the stream, from 1. */
  readonly sequence: number
  /** Of the consumer, from 1: a gap means that something was lost on the way. */
  readonly consumerSequence: number
  readonly appendedAtMs: number
  /** How many more the consumer has for us. */
  readonly pending: number
  readonly byteLength: number
}

const OVERHEAD_BYTES = 64

/** The answer to a direct get; undefined when there is no such message. */
export function gotMessage(message: Msg): StoredMessage | undefined {
  const { headers } = message
  const sequence = Number(headers?.get('Nats-Sequence') ?? 0)
  if (headers === undefined || headers.code >= 300 || sequence === 0) return undefined
  return {
    message,
    subject: headers.get('Nats-Subject'),
    sequence,
    consumerSequence: 0,
    appendedAtMs: Date.parse(headers.get('Nats-Time-Stamp')),
    pending: 0,
    byteLength: message.data.byteLength + OVERHEAD_BYTES,
  }
}

/** Undefined for what is no delivery of a consumer. */
export function storedMessage(message: Msg): StoredMessage | undefined {
  const { reply } = message
  if (reply === undefined || !reply.startsWith('$JS.ACK.')) return undefined
  const tokens = reply.split('.')
  // $JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<ns>.<pending>, or with domain and account before.
  const at = tokens.length > 9 ? 7 : 5
  return {
    message,
    sequence: Number(tokens[at]),
    consumerSequence: Number(tokens[at + 1]),
    appendedAtMs: Number(tokens[at + 2]!.slice(0, -6)),
    pending: Number(tokens[at + 3]),
    byteLength: message.data.byteLength + OVERHEAD_BYTES,
  }
}
