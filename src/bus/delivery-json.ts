import { isUtf8 } from 'node:buffer'
import type { Delivery } from './message.ts'

/**
 * One delivery as one line of JSON. Its value stands under `value` when it is JSON (the text itself, so that no number
 * loses digits), under `text` when it is other text, under `base64` when it is neither; a tombstone says so.
 */
export function deliveryJson(delivery: Delivery): string {
  const { subject, key, id, headers, timestampMs, appendedAtMs, attempt, position } = delivery
  const facts = {
    partition: position.partition,
    sequence: position.sequence,
    subject,
    key,
    id,
    timestampMs,
    appendedAtMs,
    ...(attempt > 1 && { attempt }),
    ...(Object.keys(headers).length > 0 && { headers }),
  }
  return `${JSON.stringify(facts).slice(0, -1)},${valueJson(delivery)}}`
}

function valueJson(delivery: Delivery): string {
  if (delivery.value === null) return '"tombstone":true'
  if (!isUtf8(delivery.value)) return `"base64":"${Buffer.from(delivery.value).toString('base64')}"`
  const text = delivery.text()
  try {
    const parsed: unknown = JSON.parse(text)
    return `"value":${/[\r\n]/.test(text) ? JSON.stringify(parsed) : text}`
  } catch {
    return `"text":${JSON.stringify(text)}`
  }
}
