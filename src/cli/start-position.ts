import { InvalidArgumentError } from 'commander'
import type { Position, StartPosition } from '../bus/index.ts'
import { timestampMs } from '../core/index.ts'

/** `earliest`, `latest`, a time (ISO 8601, or milliseconds since 1970), or `partition:sequence` pairs. */
export function startPosition(text: string): StartPosition {
  if (text === 'earliest' || text === 'latest') return text
  if (/^\d+:\d+(,\d+:\d+)*$/.test(text)) {
    return text.split(',').map((pair) => {
      const [partition, sequence] = pair.split(':').map(Number)
      return { partition: partition!, sequence: sequence! }
    })
  }
  const atMs = timestampMs(text)
  if (atMs === undefined) {
    throw new InvalidArgumentError('give earliest, latest, a time such as 2026-01-31T12:00:00Z, or partition:sequence.')
  }
  return { timestampMs: atMs }
}

/** The places that a start names; none for a word or a time. */
export function placesOf(start: StartPosition | undefined): readonly Position[] {
  if (start === undefined || typeof start === 'string' || 'timestampMs' in start) return []
  return 'partition' in start ? [start] : start
}
