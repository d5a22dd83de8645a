import type { Batch, Reader } from '../bus/index.ts'
import { type Clock, type Random, SkeinError } from '../core/index.ts'
import { backOff } from './back-off.ts'

/** What one message takes in memory beside its value. */
const MESSAGE_BYTES = 256
const POLL_MS = 250

export interface SourceFeedParts {
  readonly clock: Clock
  readonly random: Random
  readonly windowBytes: number
  readonly signal: AbortSignal
  /** The source is away, or has lost a stretch; reading goes on. */
  readonly onProblem: (problem: SkeinError) => void
  /** A read that worked. */
  readonly onRead: () => void
  /** Nothing came for a while. */
  readonly onIdle: () => void
}

interface Waiting {
  readonly batch: Batch
  readonly bytes: number
}

/** Reads ahead of the writes, within a window: a target that is slow stops the reading. */
export class SourceFeed {
  readonly #reader: Reader
  readonly #parts: SourceFeedParts
  #queue: Waiting[] = []
  #bytes = 0
  #isOver = false
  #wakeTaker: () => void = () => {}
  #wakeReader: () => void = () => {}

  constructor(reader: Reader, parts: SourceFeedParts) {
    this.#reader = reader
    this.#parts = parts
  }

  /** Until the signal. Rejects with what only a person can mend. */
  async run(): Promise<void> {
    const { signal, windowBytes } = this.#parts
    const wake = () => this.#wakeReader()
    signal.addEventListener('abort', wake)
    try {
      while (!signal.aborted) {
        if (this.#bytes >= windowBytes) await new Promise<void>((resolve) => (this.#wakeReader = resolve))
        else await this.#read()
      }
    } finally {
      signal.removeEventListener('abort', wake)
      this.#isOver = true
      this.#wakeTaker()
    }
  }

  async #read(): Promise<void> {
    const { signal, onRead, onIdle } = this.#parts
    for (let tries = 0; !signal.aborted; tries += 1) {
      try {
        const batch = await this.#reader.read({ waitMs: POLL_MS, signal })
        onRead()
        if (batch === null) onIdle()
        else this.#add(batch)
        return
      } catch (error) {
        if (signal.aborted) return
        await this.#getOver(error, tries)
      }
    }
  }

  async #getOver(error: unknown, tries: number): Promise<void> {
    if (!(error instanceof SkeinError)) throw error
    const isGap = error.code === 'corrupt' || error.code === 'position-gone'
    if (!isGap && !error.retryable) throw error
    this.#parts.onProblem(error)
    // The next read goes on behind a gap by itself.
    if (!isGap) await backOff(tries, this.#parts)
  }

  #add(batch: Batch): void {
    let bytes = 0
    for (const { value } of batch.deliveries) bytes += MESSAGE_BYTES + (value?.byteLength ?? 0)
    this.#queue.push({ batch, bytes })
    this.#bytes += bytes
    this.#wakeTaker()
  }

  /** The next batches, in order, at least one; undefined when the reading has ended. */
  async take(limits: { readonly messagesMax: number; readonly bytesMax: number }): Promise<Batch[] | undefined> {
    while (this.#queue.length === 0 && !this.#isOver) await new Promise<void>((resolve) => (this.#wakeTaker = resolve))
    if (this.#isOver) return undefined
    const taken: Batch[] = []
    let [messages, bytes] = [0, 0]
    while (this.#queue.length > 0 && (taken.length === 0 || bytes + this.#queue[0]!.bytes <= limits.bytesMax)) {
      const { batch, bytes: size } = this.#queue.shift()!
      taken.push(batch)
      bytes += size
      messages += batch.deliveries.length
      if (messages >= limits.messagesMax) break
    }
    this.#bytes -= bytes
    this.#wakeReader()
    return taken
  }

  get isEmpty(): boolean {
    return this.#queue.length === 0
  }

  /** Messages that were read and not taken. */
  get waiting(): number {
    return this.#queue.reduce((sum, { batch }) => sum + batch.deliveries.length, 0)
  }

  /** What went to another reader of the group is that one's to move. */
  drop(partitions: readonly number[]): void {
    const kept = this.#queue.filter(({ batch }) => !partitions.includes(batch.partition))
    this.#queue = kept
    this.#bytes = kept.reduce((sum, { bytes }) => sum + bytes, 0)
    this.#wakeReader()
  }
}
