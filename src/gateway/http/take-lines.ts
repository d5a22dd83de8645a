import { type Delivery, deliveryJson, type Reader } from '../../bus/index.ts'
import type { Cursor } from './cursor.ts'

const ANSWER_BYTES_MAX = 4 * 1024 * 1024

/**
 * What one answer holds: up to so many messages as lines of JSON, and no more bytes than an answer may have. The cursor is
 * moved past them, and past those that are not wanted.
 */
export async function takeLines(
  reader: Reader,
  cursor: Cursor,
  limits: {
    readonly max: number
    readonly signal: AbortSignal
    /** For the first message. Default: not at all. */
    readonly waitMs?: number
    readonly isWanted?: (delivery: Delivery) => boolean
  },
): Promise<readonly string[]> {
  const { max, signal, waitMs = 0, isWanted } = limits
  const lines: string[] = []
  for (let bytes = 0; lines.length < max && bytes < ANSWER_BYTES_MAX; ) {
    const batch = await reader.read({
      maxMessages: max - lines.length,
      maxBytes: ANSWER_BYTES_MAX,
      waitMs: lines.length === 0 ? waitMs : 0,
      signal,
    })
    if (batch === null) break
    for (const delivery of batch.deliveries) {
      if (!cursor.pass(delivery) || isWanted?.(delivery) === false) continue
      const line = deliveryJson(delivery)
      bytes += line.length
      lines.push(line)
    }
  }
  return lines
}
