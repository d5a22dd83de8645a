import { type Clock, type Random, SkeinError, uuidV7 } from '../../core/index.ts'
import type { ObjectStore } from '../../objects/index.ts'
import {
  type ArchiveGap,
  type ArchivePlace,
  type ArchiveRecord,
  type ArchiveSource,
  type ArchiveTotals,
  damaged,
  type KeptRecord,
  type SegmentEntry,
} from './archive-record.ts'
import { Manifest } from './manifest.ts'

/** Says who writes, and that he lives: a courtesy to whoever would begin. What keeps two from writing is the manifest. */
const WRITER_OBJECT = 'writer.json'
/** Beats missed before a writer is taken for dead. */
const BEATS_MISSED = 3
const NUMBER_DIGITS = 12

const NOTHING: ArchiveTotals = { messages: 0, segments: 0, bytes: 0, gaps: 0 }

export interface ArchiveWriterParts {
  readonly store: ObjectStore
  readonly clock: Clock
  readonly random: Random
  /** How often the writer says that it lives. */
  readonly beatMs: number
  readonly signal: AbortSignal
}

/** What one record adds. */
export interface ArchiveStep {
  /** In the store already. */
  readonly segment?: SegmentEntry | undefined
  readonly gaps: readonly ArchiveGap[]
  readonly places: readonly ArchivePlace[]
}

/** The one writer of an archive. `claim()` comes before anything else. */
export class ArchiveWriter {
  readonly id: string
  readonly #parts: ArchiveWriterParts
  readonly #manifest: Manifest
  #head: KeptRecord | undefined
  #beats = 0
  #isFenced = false

  constructor(parts: ArchiveWriterParts) {
    this.#parts = parts
    this.#manifest = new Manifest(parts.store)
    this.id = uuidV7(parts.clock, parts.random)
  }

  /** The newest record: this writer's own once it has claimed. */
  get head(): ArchiveRecord | undefined {
    return this.#head?.record
  }

  get totals(): ArchiveTotals {
    return this.head?.totals ?? NOTHING
  }

  /** Where the archive is now. */
  async load(): Promise<ArchiveRecord | undefined> {
    this.#head = await this.#manifest.newest()
    return this.head
  }

  /**
   * Waits until nobody else can be seen writing, unless told not to. Rejects with `locked` while somebody is: after a crash
   * it takes three beats to know.
   */
  async awaitOthers(): Promise<void> {
    const { clock, signal } = this.#parts
    const first = await this.#seenBeat()
    if (first === undefined) return
    const number = this.head?.number
    await clock.sleep(BEATS_MISSED * first.beatMs, { signal })
    const second = await this.#seenBeat()
    const hasWritten = (await this.load())?.number !== number
    if (hasWritten || (second !== undefined && second.text !== first.text)) throw othersWriting(second ?? first)
  }

  async #seenBeat(): Promise<{ readonly text: string; readonly writer: string; readonly beatMs: number } | undefined> {
    try {
      const text = Buffer.from(await this.#parts.store.get(WRITER_OBJECT)).toString('utf8')
      return { ...parsedBeat(text), text }
    } catch (error) {
      if (error instanceof SkeinError && error.code === 'not-found') return undefined
      throw error
    }
  }

  /** Takes the archive over: whoever wrote before can write no more. Rejects with `locked` where another was faster. */
  async claim(source: ArchiveSource, step: ArchiveStep): Promise<void> {
    await this.beat()
    try {
      await this.append(this.next(source, step))
    } catch (error) {
      if (!(error instanceof SkeinError) || error.code !== 'fenced') throw error
      throw othersWriting({ writer: 'unknown' }, error)
    }
  }

  /** Says that this writer lives. */
  async beat(): Promise<void> {
    if (this.#isFenced) return
    this.#beats += 1
    const text = JSON.stringify({ writer: this.id, beatMs: this.#parts.beatMs, beat: this.#beats })
    await this.#parts.store.put(WRITER_OBJECT, Buffer.from(text))
  }

  /** Whoever comes next need not wait. */
  async release(): Promise<void> {
    if (this.#isFenced) return
    const seen = await this.#seenBeat()
    if (seen?.writer === this.id) await this.#parts.store.delete(WRITER_OBJECT)
  }

  /** The name of the next segment is one that no other writer uses: no two ever put the same object. */
  get segmentLabel(): string {
    return `${String((this.head?.number ?? 0) + 1).padStart(NUMBER_DIGITS, '0')}-${this.id.slice(-12)}`
  }

  /** The record that would follow: made once, so that trying to append it again tries the same. */
  next(source: ArchiveSource, { segment, gaps, places }: ArchiveStep): ArchiveRecord {
    const { clock, random } = this.#parts
    const before = this.totals
    return {
      version: 1,
      number: (this.head?.number ?? 0) + 1,
      archive: this.head?.archive ?? uuidV7(clock, random),
      writer: this.id,
      writtenAtMs: clock.nowMs(),
      previous: this.#head?.sha256 ?? '',
      source,
      ...(segment && { segment }),
      ...(gaps.length > 0 && { gaps }),
      places,
      totals: {
        messages: before.messages + (segment?.messages ?? 0),
        segments: before.segments + (segment === undefined ? 0 : 1),
        bytes: before.bytes + (segment?.bytes ?? 0),
        gaps: before.gaps + gaps.length,
      },
    }
  }

  /** Again after a failure is fine. Rejects with `fenced`, after which this writer can do nothing more. */
  async append(record: ArchiveRecord): Promise<void> {
    try {
      this.#head = await this.#manifest.append(record)
    } catch (error) {
      if (error instanceof SkeinError && error.code === 'fenced') this.#isFenced = true
      throw error
    }
  }
}

function parsedBeat(text: string): { readonly writer: string; readonly beatMs: number } {
  try {
    return JSON.parse(text) as { readonly writer: string; readonly beatMs: number }
  } catch (cause) {
    throw damaged(WRITER_OBJECT, 'it is no JSON; it may be deleted where no archiver runs', cause)
  }
}

function othersWriting({ writer }: { readonly writer: string }, cause?: unknown): SkeinError {
  return new SkeinError(
    'locked',
    `Cannot archive here: another archiver (${writer}) is writing this archive; stop it, or archive to another place`,
    { cause, details: { writer } },
  )
}
