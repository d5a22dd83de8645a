import { SkeinError } from '../core/index.ts'
import { malformed } from './frame.ts'
import type { Head } from './message.ts'

/** What a client says first. */
export interface Hello {
  /** Stable name of the client, for logs and limits; at most 256 bytes. */
  readonly client: string
  /** The same for all connections of one client, at random; undefined for a client with one. */
  readonly instance: string | undefined
  /** The token of the connection that this one takes over from. */
  readonly resumeToken: string | undefined
  /** Bytes of bulk and normal frames that the client takes before it has said `seen`. */
  readonly windowBytes: number
}

/** What a node answers. */
export interface Welcome {
  /** Name of this connection at the node: what `skeinconnection` says. */
  readonly connectionId: string
  readonly resumeToken: string
  /** The node knew the token: what it held for the old connection has been released. */
  readonly resumed: boolean
  readonly windowBytes: number
  /** Bytes of calls that may wait for their reply, over all lanes. */
  readonly pendingBytesMax: number
  readonly messageBytesMax: number
}

const CLIENT_ID_BYTES_MAX = 256

const WINDOW_BYTES_MIN = 64 * 1024
const WINDOW_BYTES_MAX = 64 * 1024 * 1024

export function helloToHead(hello: Hello): Head {
  return { ...hello }
}

/** Throws `malformed-frame` naming the field, `bad-argument` for a client id beyond the limit. */
export function helloFromHead(head: Head): Hello {
  const { client, instance, resumeToken } = head
  if (typeof client !== 'string' || client === '') throw malformed('its hello names no client')
  if (Buffer.byteLength(client) > CLIENT_ID_BYTES_MAX) {
    throw new SkeinError('bad-argument', `Cannot connect: the client id is longer than ${CLIENT_ID_BYTES_MAX} bytes`, {
      details: { bytesMax: CLIENT_ID_BYTES_MAX },
    })
  }
  if (instance !== undefined && typeof instance !== 'string') throw malformed('its instance is no text')
  if (resumeToken !== undefined && typeof resumeToken !== 'string') throw malformed('its resume token is no text')
  return { client, instance, resumeToken, windowBytes: windowFrom(head) }
}

export function welcomeToHead(welcome: Welcome): Head {
  return { ...welcome }
}

/** Throws `malformed-frame` naming the field. */
export function welcomeFromHead(head: Head): Welcome {
  const { connectionId, resumeToken, resumed } = head
  if (typeof connectionId !== 'string') throw malformed('its welcome names no connection')
  if (typeof resumeToken !== 'string') throw malformed('its welcome has no resume token')
  return {
    connectionId,
    resumeToken,
    resumed: resumed === true,
    windowBytes: windowFrom(head),
    pendingBytesMax: positive(head, 'pendingBytesMax'),
    messageBytesMax: positive(head, 'messageBytesMax'),
  }
}

function windowFrom(head: Head): number {
  const bytes = positive(head, 'windowBytes')
  if (bytes < WINDOW_BYTES_MIN || bytes > WINDOW_BYTES_MAX) {
    throw malformed(`its window of ${bytes} bytes is outside ${WINDOW_BYTES_MIN} to ${WINDOW_BYTES_MAX}`)
  }
  return bytes
}

function positive(head: Head, name: string): number {
  const value = head[name]
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value <= 0) {
    throw malformed(`its ${name} is no positive whole number`)
  }
  return value
}
