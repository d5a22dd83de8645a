import { SkeinError } from '../core/index.ts'
import type { Entry, EntryKind } from './entry.ts'
import { NotLeaderError } from './errors.ts'
import { NOBODY } from './node-id.ts'
import type { RaftCore } from './raft-core.ts'

/**
 * Where proposed entries stand. They are committed when an entry at `last` is committed with this `term`, and lost when one is
 * with another. Until then, and when this node no longer leads, their fate is not known.
 */
export interface Proposed {
  readonly first: number
  readonly last: number
  readonly term: number
}

/** Appends the application's entries, all or none. */
export function propose(core: RaftCore, data: readonly Uint8Array[]): Proposed {
  if (data.length === 0) throw new SkeinError('bad-argument', 'Cannot propose: the batch is empty')
  checkMayPropose(core, 'propose')
  const { entryBytesMax, uncommittedBytesMax } = core.limits
  let bytes = 0
  for (const { length } of data) {
    bytes += length
    if (length > entryBytesMax) {
      throw new SkeinError(
        'message-too-large',
        `Cannot propose an entry of ${length} bytes: at most ${entryBytesMax}`,
        {
          details: { bytes: length, bytesMax: entryBytesMax },
        },
      )
    }
  }
  // One batch is always let through, however large: else it could never be.
  if (core.uncommittedBytes > 0 && core.uncommittedBytes + bytes > uncommittedBytesMax) {
    const message = `Cannot propose: ${core.uncommittedBytes} bytes wait to be committed, at most ${uncommittedBytesMax} may; try again`
    throw new SkeinError('overloaded', message, { retryable: true, details: { bytesMax: uncommittedBytesMax } })
  }
  return appendOwn(core, 'command', data)
}

export function checkMayPropose(core: RaftCore, action: string): void {
  if (core.role !== 'leader') throw new NotLeaderError(action, core.leader)
  if (core.transferTarget !== NOBODY) throw new NotLeaderError(action, core.transferTarget, { isHandingOver: true })
}

/** Appends entries in the leader's own term; they are sent and stored with the next `ready()`. */
export function appendOwn(core: RaftCore, kind: EntryKind, data: readonly Uint8Array[]): Proposed {
  const { term, log } = core
  const first = log.lastIndex + 1
  const entries = data.map((bytes, at): Entry => ({ index: first + at, term, kind, data: bytes }))
  log.append(entries)
  core.uncommittedBytes += log.dataBytes(first, log.lastIndex)
  return { first, last: log.lastIndex, term }
}
