import type { StoredProgress } from '../../../kit/index.ts'

/** Kafka keeps 4,096 bytes beside each committed offset, unless `offset.metadata.max.bytes` says otherwise. */
const METADATA_CHARACTERS_MAX = 4_000
const VERSION = 's1'
const RADIX = 36

/** What is committed for one partition of a group: the offset that every tool sees, and the rest of the progress. */
export interface CommittedProgress {
  readonly offset: number
  readonly metadata: string
}

/**
 * Packs progress into an offset and its metadata: numbers relative to the offset, base 36. What does not fit is let go from
 * its end: those messages, though done, are given again.
 */
export function packProgress(progress: StoredProgress): CommittedProgress {
  let fitting = progress
  for (;;) {
    const packed = pack(fitting)
    if (packed.metadata.length <= METADATA_CHARACTERS_MAX) return packed
    fitting = shortened(fitting)
  }
}

function pack(progress: StoredProgress): CommittedProgress {
  const held = [...progress.held].sort(([one], [other]) => one - other)
  const offset = Math.min(progress.settled, held[0]?.[0] ?? progress.settled)
  const text = (value: number) => value.toString(RADIX)
  const heldText = held.map(([at, attempts]) => `${text(at - offset)}:${text(attempts)}`).join(',')
  const ranges = progress.attempts
    .filter(([, to]) => to > offset)
    .map(([from, to, attempts]) => `${text(Math.max(0, from - offset))}:${text(to - offset)}:${text(attempts)}`)
    .join(',')
  const parts = [VERSION, text(progress.settled - offset), text(progress.delivered - offset), heldText, ranges]
  return { offset, metadata: parts.join('|') }
}

/** Without the last held message, everything from it on counts as not done; without one, the last counts go. */
function shortened(progress: StoredProgress): StoredProgress {
  const held = [...progress.held].sort(([one], [other]) => one - other)
  if (held.length === 0)
    return { ...progress, attempts: progress.attempts.slice(0, Math.floor(progress.attempts.length / 2)) }
  const kept = held.slice(0, Math.floor(held.length * 0.9))
  const settled = held[kept.length]![0]
  return { ...progress, settled, held: kept, attempts: progress.attempts.slice(0, kept.length) }
}

/** The progress of a commit; one made by another client is an offset and nothing more. */
export function unpackProgress(committed: {
  readonly offset: number
  readonly metadata: string | null
}): StoredProgress {
  const { offset, metadata } = committed
  const parts = metadata?.split('|') ?? []
  if (parts[0] !== VERSION || parts.length !== 5) return { settled: offset, delivered: offset, held: [], attempts: [] }
  const number = (text: string | undefined) => Number.parseInt(text ?? '0', RADIX)
  const list = (text: string | undefined) => (text === undefined || text === '' ? [] : text.split(','))
  return {
    settled: offset + number(parts[1]),
    delivered: offset + number(parts[2]),
    held: list(parts[3]).map((one) => {
      const [at, attempts] = one.split(':')
      return [offset + number(at), number(attempts)] as const
    }),
    attempts: list(parts[4]).map((one) => {
      const [from, to, attempts] = one.split(':')
      return [offset + number(from), offset + number(to), number(attempts)] as const
    }),
  }
}
