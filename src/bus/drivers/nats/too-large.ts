import { SkeinError } from '../../../core/index.ts'
import type { EncodedHeaders } from './message-codec.ts'

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
