import { assert } from '../core/index.ts'
import type { NodeId } from './node-id.ts'
import type { PersistToken } from './ready.ts'

/** What the completion of a persist proves. */
export interface Persisted {
  /** The log is durable through this index. */
  readonly stable: number
  readonly term: number
  readonly vote: NodeId
}

interface Inflight {
  readonly token: PersistToken
  readonly vote: NodeId
  /** Of what was handed out, this much is still part of the log: each truncation since has cut it back. */
  validThrough: number
  isDone: boolean
}

/**
 * The persists on their way to the disk. A completion proves only what the log still has of what was written: an entry cut
 * off since and written again later, with the same index and term, is durable with its second write and not with its first.
 * So a truncation cuts back every write in flight, and no acknowledgment has to be dropped or repeated after a change of term.
 */
export class PersistQueue {
  #inflight: Inflight[] = []
  #sequence = 0

  get isEmpty(): boolean {
    return this.#inflight.length === 0
  }

  /** Hands out a token for writes that end with the entry (index, entryTerm), in a term with a vote. */
  push(state: {
    readonly term: number
    readonly vote: NodeId
    readonly index: number
    readonly entryTerm: number
  }): PersistToken {
    this.#sequence += 1
    const { term, vote, index, entryTerm } = state
    const token: PersistToken = { sequence: this.#sequence, term, index, entryTerm }
    this.#inflight.push({ token, vote, validThrough: index, isDone: false })
    return token
  }

  /** The log was cut back: later entries that were handed out are no longer part of it. */
  truncated(through: number): void {
    for (const write of this.#inflight) write.validThrough = Math.min(write.validThrough, through)
  }

  /**
   * One persist is done. Returns what is proven now: nothing while an earlier one is not done, since a crash between
   * them could leave the later without the earlier.
   */
  done(token: PersistToken): Persisted | undefined {
    const write = this.#inflight.find((candidate) => candidate.token === token)
    assert(
      write !== undefined,
      `persist ${token.sequence} is not in flight: it was reported before, or is another node's`,
    )
    write.isDone = true
    let proven: Persisted | undefined
    let count = 0
    for (; this.#inflight[count]?.isDone === true; count += 1) {
      const { validThrough, vote, token: done } = this.#inflight[count]!
      proven = { stable: Math.max(proven?.stable ?? 0, validThrough), term: done.term, vote }
    }
    this.#inflight.splice(0, count)
    return proven
  }
}
