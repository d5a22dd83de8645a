import { SkeinError } from '../../../core/index.ts'
import type { EncodedHeaders } from './message-codec.ts'

/** JetStream keeps the length of a message's headers in 16 bits. */
const HEADERS_BYTES_MAX = 65_535

/** Throws for headers that JetStream would refuse, whatever else there is room for. */
export function checkHeaders(topic: string, index: number, headers: EncodedHeaders): void {
  const bytes = headers.byteLength
  if (bytes <= HEADERS_BYTES_MAX) return
  throw new SkeinError(
    'message-too-large',
    `Cannot write message ${index} to "${topic}": its headers take ${bytes} bytes, and JetStream keeps at most ${HEADERS_BYTES_MAX}; ` +
      'put what is long into the value',
    { details: { topic, index, bytes, headersBytesMax: HEADERS_BYTES_MAX } },
  )
}

/** A message within the topic's limit that the server would refuse with its headers. */
export function tooLargeForServer(
  topic: string,
  of: {
    readonly index: number
    readonly payload: Uint8Array
    readonly headers: EncodedHeaders
    readonly payloadBytesMax: number
  },
): SkeinError {
  const bytes = of.payload.byteLength + of.headers.byteLength
  return new SkeinError(
    'message-too-large',
    `Cannot write message ${of.index} to "${topic}": with its headers it has ${bytes} bytes, and the server takes at most ` +
      `${of.payloadBytesMax} (max_payload); raise that, or send it in chunks or as a reference`,
    { details: { topic, index: of.index, bytes, payloadBytesMax: of.payloadBytesMax } },
  )
}
