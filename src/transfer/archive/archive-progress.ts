import type { Delivery, Position } from '../../bus/index.ts'
import { SkeinError } from '../../core/index.ts'
import type { ArchiveGap, ArchivePlace } from './archive-record.ts'

interface Place {
  next: number
  last: { readonly sequence: number; readonly appendedAtMs: number } | undefined
  /** The last of an archiver before: read again, to see that the topic is the same. */
  isProven: boolean
}

/** A gap whose beginning is known when what was read before it is gathered. */
interface OpenGap {
  readonly partition: number
  readonly before: number
  readonly why: string
}

/** How far each partition is gathered, and what is missing in between. */
export class ArchiveProgress {
  readonly #topic: string
  readonly #places = new Map<number, Place>()
  #open: OpenGap[] = []
  #gaps: ArchiveGap[] = []

  constructor(topic: string, places: readonly ArchivePlace[]) {
    this.#topic = topic
    for (const { partition, nextSequence, last } of places) {
      this.#places.set(partition, { next: nextSequence, last, isProven: last === undefined })
    }
  }

  /**
   * Whether a message is new; false for the one that an archiver before had archived last. Throws `position-gone` where the
   * topic shows that it is another than the archive holds.
   */
  take({ position: { partition, sequence }, appendedAtMs }: Delivery): boolean {
    const place = this.#placeOf(partition)
    if (!place.isProven && this.#isLast(place, { partition, sequence, appendedAtMs })) return false
    if (this.#open.length > 0) this.#closeGaps(partition, sequence)
    if (sequence < place.next) throw otherTopic(this.#topic, `partition ${partition} gives ${sequence} again`)
    place.next = sequence + 1
    place.last = { sequence, appendedAtMs }
    return true
  }

  #isLast(
    place: Place,
    at: { readonly partition: number; readonly sequence: number; readonly appendedAtMs: number },
  ): boolean {
    place.isProven = true
    const { sequence, appendedAtMs } = place.last!
    if (at.sequence !== sequence) return false
    if (at.appendedAtMs === appendedAtMs) return true
    const what = `${at.partition}:${sequence} was appended at another time`
    throw otherTopic(this.#topic, what)
  }

  #placeOf(partition: number): Place {
    const found = this.#places.get(partition)
    if (found !== undefined) return found
    const place = { next: 0, last: undefined, isProven: true }
    this.#places.set(partition, place)
    return place
  }

  /** What a reader said: a stretch is gone. The next message of the partition stands at `before` or behind it. */
  noteGap({ code, details }: SkeinError): void {
    const before = code === 'corrupt' ? details.resumeOffset : (details.startOffset ?? details.resumeOffset)
    const { partition } = details
    if (typeof before === 'number' && typeof partition === 'number') this.#open.push({ partition, before, why: code })
  }

  /** Nothing that was read is left to gather: what is told as missing begins where its partition ends. */
  closeGaps(): void {
    for (const { partition } of this.#open) this.#closeGaps(partition, Number.POSITIVE_INFINITY)
  }

  #closeGaps(partition: number, through: number): void {
    const place = this.#placeOf(partition)
    const isHere = (gap: OpenGap) => gap.partition === partition && gap.before <= through
    for (const { before, why } of this.#open.filter(isHere)) {
      if (before <= place.next) continue
      this.#gaps.push({ partition, fromSequence: place.next, beforeSequence: before, why })
      place.next = before
    }
    this.#open = this.#open.filter((gap) => !isHere(gap))
  }

  /** What was missing since the last time. */
  takeGaps(): readonly ArchiveGap[] {
    const gaps = this.#gaps
    this.#gaps = []
    return gaps
  }

  get hasGaps(): boolean {
    return this.#gaps.length > 0
  }

  places(): readonly ArchivePlace[] {
    return [...this.#places]
      .map(([partition, { next, last }]) => ({ partition, nextSequence: next, ...(last && { last }) }))
      .sort((one, other) => one.partition - other.partition)
  }

  /** Where a reader begins: at the last archived message where that may be there still. */
  readFrom(starts: ReadonlyMap<number, number>): readonly Position[] {
    return [...this.#places].map(([partition, { next, last }]) => ({
      partition,
      sequence: Math.max(starts.get(partition) ?? 0, last?.sequence ?? next),
    }))
  }
}

/** The topic was deleted and made again, or lost its end in a power failure. */
export function otherTopic(topic: string, what: string): SkeinError {
  return new SkeinError(
    'position-gone',
    `Cannot go on archiving "${topic}": it is not the topic that the archive holds (${what}); archive it to another place`,
    { details: { topic, reason: what } },
  )
}
