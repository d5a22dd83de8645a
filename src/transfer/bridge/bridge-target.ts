import { type Delivery, type Durability, type Receipt, WriteError, type Writer } from '../../bus/index.ts'
import { type Clock, type Random, SkeinError } from '../../core/index.ts'
import { backOff } from '../back-off.ts'
import { isFinal, isMessageFault, retrying } from '../retrying.ts'
import { originToken } from './bridged-message.ts'
import type { Chunk } from './chunk.ts'
import type { MovedBefore } from './moved-before.ts'

export interface BridgeTargetParts {
  readonly writer: Writer
  readonly before: MovedBefore
  readonly clock: Clock
  readonly random: Random
  readonly signal: AbortSignal
  /** The target is away; it is tried again. */
  readonly onProblem: (problem: SkeinError) => void
  /** A message that the target will never take: it goes to the source's dead letters. */
  readonly onRefused: (delivery: Delivery, why: SkeinError) => Promise<void>
}

/**
 * Stores chunks in the target, one at a time: what comes later may not be stored while it is open whether what comes before
 * it was. While one is on its way the next is being read.
 */
export class BridgeTarget {
  /** Stored by this bridge. */
  moved = 0
  /** Found in the target. */
  repeats = 0
  durability: Durability
  readonly #parts: BridgeTargetParts

  constructor(durability: Durability, parts: BridgeTargetParts) {
    this.durability = durability
    this.#parts = parts
  }

  /** Resolves to whether all of it is done: stored, or a dead letter. Not so when the signal came while the target was away. */
  async store(chunk: Chunk): Promise<boolean> {
    const { writer, signal, onRefused } = this.#parts
    // Of a chunk that is refused, the half is tried, until one message is left that is at fault.
    let atOnce = Number.POSITIVE_INFINITY
    for (let tries = 0; chunk.messages.length > 0; ) {
      const part = atOnce < chunk.messages.length ? chunk.messages.slice(0, atOnce) : chunk.messages
      try {
        this.#note(await writer.write(part))
        chunk.keep((index) => index >= part.length)
        tries = 0
      } catch (cause) {
        const failure = failureOf(cause)
        if (isFinal(failure)) throw failure
        const isRefused = isMessageFault(failure)
        if (isRefused && part.length === 1) {
          await onRefused(chunk.deliveries[0]!, failure)
          chunk.keep((index) => index > 0)
          atOnce = Number.POSITIVE_INFINITY
          continue
        }
        await this.#leaveOutStored(cause, chunk)
        if (isRefused) atOnce = Math.max(1, part.length >> 1)
        else {
          this.#parts.onProblem(failure)
          await backOff(tries, this.#parts)
          tries += 1
          if (signal.aborted) return false
        }
      }
    }
    return true
  }

  #note({ positions, accepted, duplicates, durability }: Receipt): void {
    for (const { partition, sequence } of positions) this.#parts.before.noteStored(partition, sequence)
    this.moved += accepted
    this.repeats += duplicates.length
    this.durability = durability
  }

  /** Where the result of a write is not known, the target itself is asked; as often as it takes. */
  async #leaveOutStored(cause: unknown, chunk: Chunk): Promise<void> {
    const stored = new Set(cause instanceof WriteError ? cause.accepted : [])
    this.moved += stored.size
    chunk.keep((index) => !stored.has(index))
    if (isMessageFault(failureOf(cause)) && !(cause instanceof WriteError)) return
    if (cause instanceof WriteError && cause.unknown.length === 0) return
    const { before } = this.#parts
    await retrying(() => before.searchAgain(chunk.deliveries), this.#parts)
    const count = chunk.messages.length
    chunk.keep((index) => {
      const delivery = chunk.deliveries[index]!
      const { partition, sequence } = delivery.position
      return !before.has(partition, sequence, originToken(delivery))
    })
    this.moved += count - chunk.messages.length
  }
}

/** What a failed write says of its cause. Anything but an error of ours is a bug, and is thrown on. */
function failureOf(error: unknown): SkeinError {
  if (!(error instanceof SkeinError)) throw error
  if (error instanceof WriteError && error.cause instanceof SkeinError) return error.cause
  return error
}
