import type { Delivery } from '../../bus/index.ts'
import { type Clock, SkeinError } from '../../core/index.ts'
import type { ChunkMark } from './chunk-header.ts'
import { LARGE_PAYLOAD_BYTES_MAX } from './large-payload-limits.ts'

const HELD_BYTES_MAX = 2 * LARGE_PAYLOAD_BYTES_MAX
const INCOMPLETE_MS_MAX = 60_000
const STALLED_MS = 5_000

/** The chunks of one large value, as far as they have come. */
export interface ChunkSet {
  readonly name: string
  readonly partition: number
  readonly mark: ChunkMark
  readonly chunks: Array<Delivery | undefined>
  received: number
  bytes: number
  readonly firstArrivalMs: number
  lastArrivalMs: number
}

/** A set that is given up. Its chunks are no message any more; whoever reads settles them and reports the reason. */
export interface DroppedSet {
  readonly deliveries: readonly Delivery[]
  readonly error: SkeinError
}

/** Puts large values together again, within bounds of bytes and time. Sets of several publishers may interleave. */
export class ChunkAssembler {
  readonly #clock: Clock
  readonly #sets = new Map<string, ChunkSet>()
  #bytes = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The set that this chunk completes. A repeated chunk is not counted twice. */
  add(delivery: Delivery, mark: ChunkMark): ChunkSet | undefined {
    if (mark.bytes > LARGE_PAYLOAD_BYTES_MAX) throw badChunk(mark, `it says ${mark.bytes} bytes`)
    const set = this.#setOf(delivery, mark)
    if (set.mark.count !== mark.count || set.mark.bytes !== mark.bytes) throw badChunk(mark, 'its chunks disagree')
    set.lastArrivalMs = this.#clock.monotonicMs()
    if (set.chunks[mark.index] !== undefined) return undefined
    const bytes = delivery.value?.byteLength ?? 0
    set.chunks[mark.index] = delivery
    set.received += 1
    set.bytes += bytes
    this.#bytes += bytes
    return set.received === mark.count ? set : undefined
  }

  /** The bytes of a complete set. Throws `corrupt` when they are not as many as were sent. */
  join(set: ChunkSet): Uint8Array {
    if (set.bytes !== set.mark.bytes) throw badChunk(set.mark, `its chunks have ${set.bytes} bytes together`)
    const whole = new Uint8Array(set.bytes)
    let at = 0
    for (const chunk of set.chunks) {
      whole.set(chunk!.value!, at)
      at += chunk!.value!.byteLength
    }
    return whole
  }

  /** The complete set whose last arrival was this delivery. */
  completedBy(delivery: Delivery): ChunkSet | undefined {
    for (const set of this.#sets.values()) {
      if (set.received === set.mark.count && set.chunks.includes(delivery)) return set
    }
    return undefined
  }

  /** It was handled, or is dead: nothing of it is kept. */
  finish(set: ChunkSet): void {
    if (this.#sets.delete(set.name)) this.#bytes -= set.bytes
  }

  /** The first sequence of an incomplete set in this partition: no acknowledgment may pass it. */
  leastIncomplete(partition: number): number | undefined {
    let least: number | undefined
    for (const set of this.#sets.values()) {
      if (set.partition !== partition) continue
      for (const chunk of set.chunks) {
        if (chunk === undefined) continue
        if (least === undefined || chunk.position.sequence < least) least = chunk.position.sequence
      }
    }
    return least
  }

  /** Of every set that is not whole yet, where its first chunk lies. */
  unfinished(): ReadonlyArray<{ readonly set: string; readonly partition: number; readonly sequence: number }> {
    return [...this.#sets.values()].flatMap((each) => {
      const { partition, mark, received } = each
      if (received === 0 || received === mark.count) return []
      const sequence = Math.min(...presentChunks(each).map(({ position }) => position.sequence))
      return [{ set: mark.set, partition, sequence }]
    })
  }

  get isEmpty(): boolean {
    return this.#sets.size === 0
  }

  /**
   * Chunks of sets that have stopped coming. What is missing may wait behind them in the bus, so they are to be released
   * and will come again together. The set is still remembered, and is given up in the end.
   */
  takeStalled(partition: number): readonly Delivery[] {
    const now = this.#clock.monotonicMs()
    const stalled: Delivery[] = []
    for (const set of this.#unfinished(partition)) {
      if (set.received === 0 || now - set.lastArrivalMs < STALLED_MS) continue
      stalled.push(...presentChunks(set))
      set.chunks.fill(undefined)
      this.#bytes -= set.bytes
      set.bytes = 0
      set.received = 0
    }
    return stalled
  }

  /** Sets that are unfinished for too long, and the oldest ones while too many bytes are held. */
  takeDropped(partition: number): readonly DroppedSet[] {
    const now = this.#clock.monotonicMs()
    const dropped: DroppedSet[] = []
    for (const set of this.#unfinished(partition)) {
      const isTooLate = now - set.firstArrivalMs > INCOMPLETE_MS_MAX
      if (!isTooLate && this.#bytes <= HELD_BYTES_MAX) continue
      this.finish(set)
      if (set.received === 0) continue
      const why = isTooLate ? `no more in ${INCOMPLETE_MS_MAX} ms` : 'too many large values are unfinished'
      const error = badChunk(set.mark, `${set.received} of ${set.mark.count} chunks came, and ${why}`)
      dropped.push({ deliveries: presentChunks(set), error })
    }
    return dropped
  }

  /** The partition went to another reader, which is given all of it again. */
  forget(partition: number): void {
    for (const set of this.#sets.values()) if (set.partition === partition) this.finish(set)
  }

  /** Oldest first; a whole one is being handled. */
  #unfinished(partition: number): readonly ChunkSet[] {
    return [...this.#sets.values()].filter((set) => set.partition === partition && set.received < set.mark.count)
  }

  #setOf(delivery: Delivery, mark: ChunkMark): ChunkSet {
    const { partition } = delivery.position
    const name = `${partition} ${mark.set}`
    const known = this.#sets.get(name)
    if (known !== undefined) return known
    const nowMs = this.#clock.monotonicMs()
    const chunks = new Array<Delivery | undefined>(mark.count).fill(undefined)
    const set = { name, partition, mark, chunks, received: 0, bytes: 0, firstArrivalMs: nowMs, lastArrivalMs: nowMs }
    this.#sets.set(name, set)
    return set
  }
}

function presentChunks(set: ChunkSet): readonly Delivery[] {
  return set.chunks.filter((chunk) => chunk !== undefined)
}

function badChunk(mark: ChunkMark, why: string): SkeinError {
  return new SkeinError('corrupt', `Cannot put the large value "${mark.set}" together: ${why}`, {
    details: { set: mark.set, count: mark.count, bytes: mark.bytes },
  })
}
