import { InvalidArgumentError } from 'commander'
import type { StartPosition } from '../bus/index.ts'

/** `earliest`, `latest`, a time (ISO 8601, or milliseconds since 1970), or `partition:sequence` pairs. */
export function startPosition(text: string): StartPosition {
  if (text === 'earliest' || text === 'latest') return text
  if (/^\d+:\d+(,\d+:\d+)*$/.test(text)) {
    return text.split(',').map((pair) => {
      const [partition, sequence] = pair.split(':').map(Number)
      return { partition: partition!, sequence: sequence! }
    })
  }
  const timestampMs = /^\d+$/.test(text) ? Number(text) : Date.parse(text)
  if (Number.isNaN(timestampMs)) {
    throw new InvalidArgumentError('give earliest, latest, a time such as 2026-01-31T12:00:00Z, or partition:sequence.')
  }
  return { timestampMs }
}
