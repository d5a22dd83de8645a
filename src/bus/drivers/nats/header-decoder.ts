import type { Msg } from '@nats-io/transport-node'
import type { Headers } from '../../index.ts'
import { type DecodedHeaders, decodeHeaders } from './message-codec.ts'

const FIRST_LINE = 'NATS/1.0\r\n'
const END = '\r\n\r\n'

/**
 * Decodes the headers of messages that come one after another: lines that are those of the message before, as mostly all of a
 * channel's are, are not parsed again. The library's own parse costs more than all else that a message needs.
 */
export class HeaderDecoder {
  #userText = ''
  #userHeaders: Headers | undefined

  decode(message: Msg): DecodedHeaders {
    const text = headerText(message)
    if (text === undefined) return decodeHeaders(message.headers)
    const ownAt = ownLinesAt(text)
    if (ownAt === -1) return decodeHeaders(linesOf(text, FIRST_LINE.length))
    const userText = text.slice(0, ownAt)
    const own = decodeHeaders(linesOf(text, ownAt))
    // What another writer put behind our lines is the user's too.
    if (!isEmpty(own.headers)) return decodeHeaders(linesOf(text, FIRST_LINE.length))
    if (this.#userHeaders === undefined || userText !== this.#userText) {
      this.#userText = userText
      this.#userHeaders = decodeHeaders(linesOf(userText, FIRST_LINE.length)).headers
    }
    return { ...own, headers: this.#userHeaders }
  }
}

/** Where the lines begin that differ from message to message: the key's and the time's; -1 for what is not our writing. */
function ownLinesAt(text: string): number {
  const key = text.indexOf('\r\nskeinkey: ')
  const at = key === -1 ? text.indexOf('\r\nskeintime: ') : key
  return at === -1 ? -1 : at + 2
}

function isEmpty(headers: Headers): boolean {
  for (const _ in headers) return false
  return true
}

/** As the library splits them. */
function linesOf(text: string, from: number): Array<readonly [name: string, values: readonly string[]]> {
  const lines: Array<readonly [string, readonly string[]]> = []
  for (let at = from; at < text.length; ) {
    const found = text.indexOf('\r\n', at)
    const end = found === -1 ? text.length : found
    const colon = text.indexOf(':', at)
    if (colon !== -1 && colon < end) lines.push([text.slice(at, colon), [text.slice(colon + 1, end).trim()]])
    at = end + 2
  }
  return lines
}

/**
 * The header block as it came, which lies before the payload in the same buffer. Undefined where it does not look so, and where
 * there is none: the library's own decoding is right there.
 */
function headerText(message: Msg): string | undefined {
  const { data, subject, reply } = message
  const names = Buffer.byteLength(subject) + (reply === undefined ? 0 : Buffer.byteLength(reply))
  // Of a message that the library parsed; its types do not name it.
  const { size } = message as Msg & { size?: () => number }
  if (size === undefined) return undefined
  const length = size.call(message) - names - data.byteLength
  const from = data.byteOffset - length
  if (length < FIRST_LINE.length || from < 0) return undefined
  const text = Buffer.from(data.buffer, from, length).toString()
  return text.startsWith(FIRST_LINE) && text.endsWith(END) ? text : undefined
}
