import { SkeinError } from '../../core/index.ts'

/** The most a chunked or claim-checked value may have. */
export const LARGE_PAYLOAD_BYTES_MAX = 64 * 1024 * 1024

/** The most chunks of one value: a reader takes as many messages at once. */
export const CHUNKS_MAX = 4_096

/** The refusal of a value that is larger than its channel lets through. */
export function tooLarge(topic: string, bytes: number, bytesMax: number): SkeinError {
  return new SkeinError(
    'message-too-large',
    `Cannot publish ${bytes} bytes to ${topic}: the most is ${bytesMax}; declare largePayloads, or send less`,
    { details: { topic, bytes, bytesMax } },
  )
}
