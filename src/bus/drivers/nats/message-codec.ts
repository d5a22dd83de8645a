import type { MsgHdrs } from '@nats-io/transport-node'
import type { Headers, Message } from '../../index.ts'
import { decodeHeaderText, encodeHeaderName, encodeHeaderValue } from './header-text.ts'

/** Context attributes of CloudEvents 1.0 travel with the prefix of its NATS binding (3.1.3.1). */
const ATTRIBUTES = new Set(['id', 'source', 'specversion', 'type', 'time', 'subject', 'dataschema', 'datacontenttype'])
const ATTRIBUTE_PREFIX = 'ce-'

const KEY = 'skeinkey'
const TIME = 'skeintime'
const TTL = 'skeinttl'
const TOMBSTONE = 'skeintombstone'
const SUBJECT = 'skeinsubject'
const SERVER_PREFIX = 'Nats-'

/** How a message is to be stored, beyond what it says itself. */
export interface StoredAs {
  readonly nowMs: number
  /** `Nats-Msg-Id`: the server drops a repeat within the stream's window. */
  readonly messageId?: string | undefined
  /** After which the server itself removes it, in whole seconds; what is shorter is kept by the reader. */
  readonly serverTtlSeconds?: number | undefined
  /** The message's subject, where another one stands for it. */
  readonly subject?: string | undefined
}

/** Bytes of headers, ready to be sent: what the library asks of a `MsgHdrs` that is only written. */
export class EncodedHeaders {
  readonly #bytes: Uint8Array

  constructor(text: string) {
    this.#bytes = Buffer.from(text, 'latin1')
  }

  get byteLength(): number {
    return this.#bytes.byteLength
  }

  encode(): Uint8Array {
    return this.#bytes
  }

  /** The library calls nothing else of what it sends. */
  asHeaders(): MsgHdrs {
    return this as unknown as MsgHdrs
  }
}

/** Encodes headers; an object that many messages share is encoded once. */
export class MessageEncoder {
  readonly #shared = new WeakMap<Headers, string>()

  headersOf(message: Message, as: StoredAs): EncodedHeaders {
    const { headers, key, id, ttlMs, timestampMs } = message
    let text = 'NATS/1.0\r\n'
    if (headers !== undefined) text += this.#textOf(headers)
    if (id !== undefined && headers?.id !== id) text += line('ce-id', id)
    if (key !== undefined) text += line(KEY, key)
    text += `${TIME}: ${timestampMs ?? as.nowMs}\r\n`
    if (ttlMs !== undefined) text += `${TTL}: ${ttlMs}\r\n`
    if (message.value === null) text += `${TOMBSTONE}: 1\r\n`
    if (as.subject !== undefined) text += line(SUBJECT, as.subject)
    if (as.serverTtlSeconds !== undefined) text += `Nats-TTL: ${as.serverTtlSeconds}s\r\n`
    if (as.messageId !== undefined) text += line('Nats-Msg-Id', as.messageId)
    return new EncodedHeaders(`${text}\r\n`)
  }

  #textOf(headers: Headers): string {
    let text = this.#shared.get(headers)
    if (text === undefined) {
      text = headerLines(headers)
      this.#shared.set(headers, text)
    }
    return text
  }
}

/** The lines of user headers, for messages and for requests. */
export function headerLines(headers: Headers): string {
  let text = ''
  for (const name in headers) {
    text += line(ATTRIBUTES.has(name) ? ATTRIBUTE_PREFIX + name : encodeHeaderName(name), headers[name]!)
  }
  return text
}

/** What one header takes of a message. */
export function headerBytes(name: string, value: string): number {
  return encodeHeaderName(name).length + encodeHeaderValue(value).length + 4 + ATTRIBUTE_PREFIX.length
}

function line(name: string, value: string): string {
  return `${name}: ${encodeHeaderValue(value)}\r\n`
}

/** What stands in the headers of a message. */
export interface DecodedHeaders {
  readonly headers: Headers
  readonly key: string | undefined
  readonly timestampMs: number | undefined
  readonly ttlMs: number | undefined
  readonly isTombstone: boolean
  readonly subject: string | undefined
}

const NO_HEADERS: Headers = Object.freeze({})
const NOTHING: DecodedHeaders = {
  headers: NO_HEADERS,
  key: undefined,
  timestampMs: undefined,
  ttlMs: undefined,
  isTombstone: false,
  subject: undefined,
}

/** `encoded`: names with their values, the last of which counts. */
export function decodeHeaders(encoded: Iterable<readonly [string, readonly string[]]> | undefined): DecodedHeaders {
  if (encoded === undefined) return NOTHING
  const headers: Record<string, string> = {}
  let [key, timestampMs, ttlMs, subject]: [string?, number?, number?, string?] = []
  let isTombstone = false
  for (const [name, values] of encoded) {
    const value = decodeHeaderText(values.at(-1)!)
    if (name === KEY) key = value
    else if (name === TIME) timestampMs = Number(value)
    else if (name === TTL) ttlMs = Number(value)
    else if (name === TOMBSTONE) isTombstone = true
    else if (name === SUBJECT) subject = value
    else if (!name.startsWith(SERVER_PREFIX)) headers[userName(name)] = value
  }
  return { headers, key, timestampMs, ttlMs, isTombstone, subject }
}

function userName(name: string): string {
  const bare = name.startsWith(ATTRIBUTE_PREFIX) ? name.slice(ATTRIBUTE_PREFIX.length) : name
  return decodeHeaderText(ATTRIBUTES.has(bare) ? bare : name)
}
