import { type Message, WriteError, type Writer } from '../../bus/index.ts'
import { SkeinError } from '../../core/index.ts'
import { backOff } from '../back-off.ts'
import { isFinal, isMessageFault, retrying } from '../retrying.ts'
import type { SegmentEntry } from './archive-record.ts'
import type { ArchivedRow } from './archived-row.ts'
import type { Manifest } from './manifest.ts'
import { readSegment } from './read-segment.ts'
import type { RestoreOptions, RestoreReport } from './restore-options.ts'
import type { RestoredBefore } from './restored-before.ts'
import { type RestoredBy, restoredMessage } from './restored-message.ts'

const WRITE_BYTES_MAX = 2 * 1024 * 1024
/** Of one write, in the archive: how far its messages lie apart. */
export const WRITE_SPAN_MAX = 8_192
/** What one message takes beside its value. */
const MESSAGE_BYTES = 256

export interface RestoreParts {
  readonly options: RestoreOptions
  readonly manifest: Manifest
  readonly by: RestoredBy
  readonly before: RestoredBefore
  readonly writer: Writer
  readonly report: RestoreReport
  readonly signal: AbortSignal
}

/** One message of a write, with its number in the archive. */
interface Restored {
  readonly ordinal: number
  readonly message: Message
}

type Counts = { -readonly [Name in keyof RestoreReport]: RestoreReport[Name] }

/** Writes an archive's messages into a topic, in their order: one write is done before the next begins. */
export class Restore {
  readonly #parts: RestoreParts
  readonly #report: Counts
  #waiting: Restored[] = []
  #bytes = 0

  constructor(parts: RestoreParts) {
    this.#parts = parts
    this.#report = { ...parts.report }
  }

  /** Rejects with `corrupt` naming the object of the archive that is damaged, before any of that object is written. */
  async run(): Promise<RestoreReport> {
    const { manifest, options } = this.#parts
    await this.#search()
    for await (const { segment, totals } of manifest.records()) {
      if (segment === undefined) continue
      const first = totals.messages - segment.messages
      if (this.#isWanted(segment)) await this.#restore(segment, first)
      this.#report.read = totals.messages
      options.onProgress?.({ ...this.#report })
    }
    await this.#flush()
    return this.#report
  }

  #isWanted({ ranges }: SegmentEntry): boolean {
    const { sinceMs = Number.NEGATIVE_INFINITY, beforeMs = Number.POSITIVE_INFINITY } = this.#parts.options
    return ranges.some(({ firstAtMs, lastAtMs }) => lastAtMs >= sinceMs && firstAtMs < beforeMs)
  }

  async #restore(segment: SegmentEntry, first: number): Promise<void> {
    const { signal, options } = this.#parts
    let ordinal = first
    for await (const row of readSegment(options.store, segment)) {
      signal.throwIfAborted()
      const [oldest] = this.#waiting
      const isFull = this.#bytes >= WRITE_BYTES_MAX || (oldest && ordinal - oldest.ordinal >= WRITE_SPAN_MAX - 1)
      if (isFull) await this.#flush()
      this.#take(row, ordinal)
      ordinal += 1
    }
  }

  #take(row: ArchivedRow, ordinal: number): void {
    const { options, by, before } = this.#parts
    const { sinceMs = Number.NEGATIVE_INFINITY, beforeMs = Number.POSITIVE_INFINITY, expired = 'skip' } = options
    if (row.appendedAtMs < sinceMs || row.appendedAtMs >= beforeMs) return
    const nowMs = expired === 'skip' ? options.clock.nowMs() : undefined
    const message = restoredMessage(row, by, { ordinal, nowMs })
    if (before.has(ordinal, message.key ?? message.subject)) this.#report.repeats += 1
    else if (nowMs !== undefined && row.expiresAtMs !== undefined && row.expiresAtMs <= nowMs) this.#report.expired += 1
    else {
      this.#waiting.push({ ordinal, message })
      this.#bytes += MESSAGE_BYTES + (row.value?.length ?? 0)
    }
  }

  async #flush(): Promise<void> {
    let left = this.#waiting
    this.#waiting = []
    this.#bytes = 0
    for (let tries = 0; left.length > 0; tries += 1) {
      try {
        left = await this.#write(left)
      } catch (error) {
        left = await this.#getOver(error, left, tries)
      }
    }
  }

  async #write(messages: readonly Restored[]): Promise<Restored[]> {
    const { writer, before } = this.#parts
    const { positions, accepted, duplicates, durability } = await writer.write(messages.map(({ message }) => message))
    for (const { partition, sequence } of positions) before.noteStored(partition, sequence)
    this.#report.restored += accepted
    this.#report.repeats += duplicates.length
    this.#report.durability = durability
    return []
  }

  /** Where the result of a write is not known, the target itself is asked what is left to do. */
  async #getOver(error: unknown, messages: readonly Restored[], tries: number): Promise<Restored[]> {
    const { before, signal, options } = this.#parts
    signal.throwIfAborted()
    if (!(error instanceof SkeinError)) throw error
    const failure = error instanceof WriteError && error.cause instanceof SkeinError ? error.cause : error
    if (isFinal(failure)) throw failure
    if (isMessageFault(failure)) throw refused(messages, failure)
    options.onProblem?.(failure)
    await backOff(tries, { ...options, signal })
    await this.#search()
    const left = messages.filter(({ ordinal, message }) => !before.has(ordinal, message.key ?? message.subject))
    this.#report.restored += messages.length - left.length
    return left
  }

  /** As often as it takes; but that the target must not be restored to is no problem that passes. */
  async #search(): Promise<void> {
    const { options, signal, before } = this.#parts
    const { clock, random, onProblem = () => {} } = options
    let refusal: SkeinError | undefined
    const search = async () => {
      refusal = await before.search().then(() => undefined, asRefusal)
    }
    await retrying(search, { clock, random, signal, onProblem })
    if (refusal !== undefined) throw refusal
  }
}

function asRefusal(error: unknown): SkeinError {
  if (error instanceof SkeinError && error.code === 'bad-argument') return error
  throw error
}

function refused(messages: readonly Restored[], cause: SkeinError): SkeinError {
  const [first, last] = [messages[0]!.ordinal, messages.at(-1)!.ordinal]
  return new SkeinError(
    cause.code,
    `Cannot restore the messages ${first} to ${last} of the archive: the target refuses one of them (${cause.message}); make the topic so that it takes them, and restore again`,
    { cause, details: { ...cause.details, first, last } },
  )
}
