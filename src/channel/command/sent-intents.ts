import { SkeinError } from '../../core/index.ts'
import type { CommandDefinition } from './definition.ts'
import type { StoredOutcome } from './outcome.ts'
import type { PendingIntent } from './pending-intent.ts'

export interface SentIntentsOptions {
  /** Intents, those with outcomes included. */
  readonly countMax: number
  /** Bytes of the commands on their way and of the replies remembered. */
  readonly bytesMax: number
}

/** One intent at its sender. */
export interface SentIntent {
  readonly pending: PendingIntent
  readonly command: CommandDefinition<unknown, unknown>
}

interface Entry extends SentIntent {
  /** Calls of `send()` that wait for it. */
  waiting: number
  bytes: number
}

/** What the book-keeping of one intent, and of one of its agents, holds beside the bytes of value and reply. */
const INTENT_BYTES = 500
const AGENT_BYTES = 200

/**
 * What a sender remembers, within a bound on number and one on bytes. Intents that nobody waits for any more answer a
 * repeat from here, and make room, the oldest first, for those on their way; what is on its way makes room for nothing.
 */
export class SentIntents {
  readonly #options: SentIntentsOptions
  /** In the order they were sent. */
  readonly #entries = new Map<string, Entry>()
  #bytes = 0

  constructor(options: SentIntentsOptions) {
    this.#options = options
  }

  get(intentId: string): SentIntent | undefined {
    return this.#entries.get(intentId)
  }

  get size(): number {
    return this.#entries.size
  }

  get byteLength(): number {
    return this.#bytes
  }

  /** Throws `overloaded` when there is no room. Somebody must `wait()` for it in the same turn, or it may go again. */
  add(intent: SentIntent): void {
    const { countMax } = this.#options
    this.#makeRoom(INTENT_BYTES, 1)
    if (this.#entries.size >= countMax) throw overloaded(`${countMax} wait for their outcomes`, this.#options)
    this.#entries.set(intent.pending.intentId, { ...intent, waiting: 0, bytes: 0 })
    this.#count(intent.pending.intentId, INTENT_BYTES)
  }

  /**
   * Notes one who waits, with the bytes that must be kept for resending; returns the way to end that. Throws
   * `overloaded` when there is no room for the bytes.
   */
  wait(intentId: string, size: { readonly valueBytes: number; readonly agents: number }): () => void {
    const entry = this.#entries.get(intentId)
    if (entry === undefined) throw new Error(`Assertion failed: ${intentId} is not remembered`)
    entry.waiting += 1
    const held = size.valueBytes + size.agents * AGENT_BYTES
    try {
      this.#makeRoom(held, 0)
      if (this.#bytes + held > this.#options.bytesMax) {
        throw overloaded(`commands of ${this.#bytes} bytes wait for their outcomes`, this.#options)
      }
    } catch (error) {
      entry.waiting -= 1
      throw error
    }
    this.#count(intentId, held)
    return () => {
      entry.waiting -= 1
      // Who the agents were is remembered with the intent.
      this.#count(intentId, -size.valueBytes)
      this.#makeRoom(0, 0)
    }
  }

  /** An outcome came: what is remembered of it counts as well. */
  report(intentId: string, agentId: string, outcome: StoredOutcome): void {
    const entry = this.#entries.get(intentId)
    if (entry === undefined) return
    const before = replyBytes(entry.pending.outcome(agentId))
    entry.pending.report(agentId, outcome)
    this.#count(intentId, replyBytes(entry.pending.outcome(agentId)) - before)
    this.#makeRoom(0, 0)
  }

  #count(intentId: string, bytes: number): void {
    const entry = this.#entries.get(intentId)
    if (entry === undefined) return
    entry.bytes += bytes
    this.#bytes += bytes
  }

  /** Forgets the oldest that nobody waits for, as far as needed. */
  #makeRoom(bytes: number, count: number): void {
    const { countMax, bytesMax } = this.#options
    for (const [intentId, entry] of this.#entries) {
      if (this.#entries.size + count <= countMax && this.#bytes + bytes <= bytesMax) return
      if (entry.waiting > 0) continue
      this.#entries.delete(intentId)
      this.#bytes -= entry.bytes
    }
  }
}

function replyBytes(outcome: StoredOutcome | undefined): number {
  return (outcome?.reply?.length ?? 0) + (outcome?.message?.length ?? 0)
}

function overloaded(state: string, { countMax, bytesMax }: SentIntentsOptions): SkeinError {
  return new SkeinError('overloaded', `Cannot send a command: ${state}; try again later`, {
    retryable: true,
    details: { pendingMax: countMax, pendingBytesMax: bytesMax },
  })
}
