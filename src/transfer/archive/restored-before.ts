import type { Bus, Delivery } from '../../bus/index.ts'
import { SkeinError } from '../../core/index.ts'
import { readToEnd } from '../read-to-end.ts'
import { type RestoredBy, restoredToken } from './restored-message.ts'

export interface RestoredBeforeParts {
  readonly bus: Bus
  readonly topic: string
  readonly by: RestoredBy
  /** No write holds messages that are further apart in the archive. */
  readonly spanMax: number
  /** Older messages of a key may have been compacted away. */
  readonly isCompacted: boolean
  /** Of the archive's own topic: what was appended by then may be in the archive. Undefined where the target is another. */
  readonly originalsThroughMs: number | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Which messages of the archive are in the target already: the target itself is read, for it alone is always right. One write
 * is done before the next begins, so that of everything further back than one write from the last nothing need be remembered.
 */
export class RestoredBefore {
  readonly #parts: RestoredBeforeParts
  #through = -1
  /** Number in the archive → key, of what stands within one write of the last. */
  #near = new Map<number, string>()
  /** Key → the last of it among those. */
  #lastOfKey = new Map<string, number>()
  /** By partition of the target: read up to there. */
  readonly #next = new Map<number, number>()

  constructor(parts: RestoredBeforeParts) {
    this.#parts = parts
  }

  /**
   * Reads the target from where it was read before to its end. Rejects with `bad-argument` where it holds another restore of
   * the archive, or still the messages that the archive was made of.
   */
  async search(): Promise<void> {
    const { bus, topic, signal } = this.#parts
    const { partitions } = await bus.admin.describeTopic(topic)
    const from = partitions.map(({ partition, start }) => ({
      partition,
      sequence: Math.max(start.sequence, this.#next.get(partition) ?? 0),
    }))
    for await (const deliveries of readToEnd(bus, topic, { from, signal })) {
      for (const delivery of deliveries) this.#take(delivery)
      if (this.#near.size > 4 * this.#parts.spanMax) this.#forget()
    }
    this.#forget()
    this.#lastOfKey = new Map()
    if (this.#parts.isCompacted) for (const [ordinal, key] of this.#near) this.#noteKey(key, ordinal)
  }

  #take({ headers, position, appendedAtMs, key, subject }: Delivery): void {
    const { by, originalsThroughMs, topic } = this.#parts
    this.noteStored(position.partition, position.sequence)
    const token = restoredToken(headers, by.archive)
    if (token === undefined) {
      if (originalsThroughMs === undefined || appendedAtMs > originalsThroughMs) return
      throw refused(topic, 'the topic still holds messages that were archived, and would have them twice')
    }
    if (token.selection !== by.selection) {
      throw refused(topic, 'the topic holds another selection of this archive, and would have some of it twice')
    }
    this.#through = Math.max(this.#through, token.ordinal)
    this.#near.set(token.ordinal, key ?? subject)
  }

  #noteKey(key: string, ordinal: number): void {
    this.#lastOfKey.set(key, Math.max(ordinal, this.#lastOfKey.get(key) ?? -1))
  }

  #forget(): void {
    const from = this.#through - this.#parts.spanMax
    this.#near = new Map([...this.#near].filter(([ordinal]) => ordinal > from))
  }

  /** Need not be read again. */
  noteStored(partition: number, sequence: number): void {
    this.#next.set(partition, Math.max(sequence + 1, this.#next.get(partition) ?? 0))
  }

  /** `key`: as the target has it, or the subject where there is none. */
  has(ordinal: number, key: string): boolean {
    if (ordinal <= this.#through - this.#parts.spanMax || this.#near.has(ordinal)) return true
    return (this.#lastOfKey.get(key) ?? -1) > ordinal
  }
}

function refused(topic: string, why: string): SkeinError {
  return new SkeinError('bad-argument', `Cannot restore to topic "${topic}": ${why}; restore to another topic`, {
    details: { topic },
  })
}
