import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { Delivery } from '../../bus/index.ts'
import { type SegmentEntry, type SegmentRange, sha256Of } from './archive-record.ts'
import { archivedLine } from './archived-row.ts'

const compress = promisify(gzip)
/** A third of the time of the default level, for a few percent more bytes. */
const GZIP_LEVEL = 3
/** Characters gathered before they become bytes. */
const PIECE_CHARACTERS = 256 * 1024
const HOUR_MS = 3_600_000

type Growing<T> = { -readonly [Key in keyof T]: T[Key] }

/** A segment while messages are added to it. */
export class SegmentBuilder {
  messages = 0
  /** Of its rows, in characters until they become bytes: what the limit is for. */
  rowBytes = 0
  /** Of the oldest message by its append. */
  oldestAtMs = Number.POSITIVE_INFINITY
  /** When the first was added, by the monotonic clock. */
  readonly begunMs: number
  #newestHour = 0
  #text = ''
  readonly #pieces: Buffer[] = []
  readonly #ranges = new Map<number, Growing<SegmentRange>>()

  constructor(begunMs: number) {
    this.begunMs = begunMs
  }

  add(delivery: Delivery, topicTtlMs: number | undefined): void {
    const line = archivedLine(delivery, topicTtlMs)
    this.#text += line
    this.rowBytes += line.length
    this.messages += 1
    if (this.#text.length >= PIECE_CHARACTERS) this.#cut()
    const { appendedAtMs } = delivery
    this.#newestHour = Math.max(this.#newestHour, hourOf(appendedAtMs))
    this.oldestAtMs = Math.min(this.oldestAtMs, appendedAtMs)
    this.#note(delivery)
  }

  /** A later hour than that of anything in it. */
  isOfLaterHour({ appendedAtMs }: Delivery): boolean {
    return this.messages > 0 && hourOf(appendedAtMs) > this.#newestHour
  }

  #note({ position: { partition, sequence }, appendedAtMs }: Delivery): void {
    const range = this.#ranges.get(partition)
    if (range === undefined) {
      const [firstAtMs, lastAtMs] = [appendedAtMs, appendedAtMs]
      const found = { partition, messages: 1, firstSequence: sequence, lastSequence: sequence, firstAtMs, lastAtMs }
      this.#ranges.set(partition, found)
      return
    }
    range.messages += 1
    range.lastSequence = sequence
    range.firstAtMs = Math.min(range.firstAtMs, appendedAtMs)
    range.lastAtMs = Math.max(range.lastAtMs, appendedAtMs)
  }

  #cut(): void {
    this.#pieces.push(Buffer.from(this.#text))
    this.#text = ''
  }

  /** `label` makes the name one that no other writer uses. */
  async finish(label: string): Promise<{ readonly entry: SegmentEntry; readonly bytes: Uint8Array }> {
    this.#cut()
    const rows = Buffer.concat(this.#pieces)
    const bytes = await compress(rows, { level: GZIP_LEVEL })
    const ranges = [...this.#ranges.values()].sort((one, other) => one.partition - other.partition)
    const entry = {
      name: `segments/${folderOf(this.oldestAtMs)}/${label}.ndjson.gz`,
      bytes: bytes.byteLength,
      sha256: sha256Of(bytes),
      messages: this.messages,
      rowBytes: rows.byteLength,
      ranges,
    }
    return { entry, bytes }
  }
}

function hourOf(timeMs: number): number {
  return Math.floor(timeMs / HOUR_MS)
}

/** `2026/03/01/09`, in UTC. */
function folderOf(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 13).replace(/[-T]/g, '/')
}
