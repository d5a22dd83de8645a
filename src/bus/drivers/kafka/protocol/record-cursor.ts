import type { Headers } from '../../../index.ts'
import { ID_HEADER, REPLAY_HEADER, TTL_HEADER } from '../../../kit/index.ts'
import { ownName, SUBJECT_NAME, TIME_NAME, wireName } from './header-names.ts'
import type { TextBuffer } from './text.ts'
import { VarintReader } from './varint.ts'

/** What the records of one batch share. */
export interface RecordSource {
  readonly topic: string
  /** Uncompressed records, one after another. */
  readonly bytes: Buffer
  readonly baseOffset: number
  readonly count: number
  readonly firstTimestampMs: number
  readonly maxTimestampMs: number
  readonly hasAppendTime: boolean
}

const SUBJECT = Buffer.from(SUBJECT_NAME)
const ID = Buffer.from(wireName(ID_HEADER))
const TTL = Buffer.from(TTL_HEADER)
const REPLAY = Buffer.from(REPLAY_HEADER)
const TIME = Buffer.from(TIME_NAME)

/** Stands on one record of a batch and decodes what is asked of it. One pass finds where everything lies. */
export class RecordCursor {
  readonly source: RecordSource
  offset = -1
  recordStart = 0
  /** Where the record behind the last one of `next()` begins. */
  #next = 0
  #last = 0
  #end = 0
  #read = 0
  #timeDelta = 0
  #keyStart = 0
  #keyBytes = -1
  #valueStart = 0
  #valueBytes = -1
  #headersStart = 0
  #subjectStart = -1
  #subjectBytes = 0
  #idStart = -1
  #idBytes = 0
  #ttlStart = -1
  #ttlBytes = 0
  #replayStart = -1
  #replayBytes = 0
  #timeStart = -1
  #timeBytes = 0
  readonly #reader: VarintReader

  constructor(source: RecordSource) {
    this.source = source
    this.#reader = new VarintReader(source.bytes)
  }

  /** Stands on the next record; false behind the last. */
  next(): boolean {
    if (this.#read >= this.source.count || this.#next >= this.source.bytes.length) return false
    this.#read += 1
    this.#last = this.#next
    this.#enter(this.#last)
    this.#next = this.#end
    return true
  }

  /** Stands on the record of the last `next()` again, wherever getters have moved it since. */
  resume(): boolean {
    this.moveTo(this.#last)
    return true
  }

  /** Stands on the record that begins there, for a getter; `next()` goes on where it was. */
  moveTo(recordStart: number): void {
    if (recordStart !== this.recordStart) this.#enter(recordStart)
  }

  #enter(start: number): void {
    const reader = this.#reader
    this.recordStart = start
    reader.position = start
    const length = reader.int()
    this.#end = reader.position + length
    reader.position += 1
    this.#timeDelta = reader.long()
    this.offset = this.source.baseOffset + reader.int()
    this.#keyBytes = reader.int()
    this.#keyStart = reader.position
    if (this.#keyBytes > 0) reader.position += this.#keyBytes
    this.#valueBytes = reader.int()
    this.#valueStart = reader.position
    if (this.#valueBytes > 0) reader.position += this.#valueBytes
    this.#headersStart = reader.position
    this.#findHeaders()
  }

  #findHeaders(): void {
    const reader = this.#reader
    const { bytes } = this.source
    this.#subjectStart = -1
    this.#idStart = -1
    this.#ttlStart = -1
    this.#replayStart = -1
    this.#timeStart = -1
    for (let left = reader.int(); left > 0; left -= 1) {
      const nameBytes = reader.int()
      const nameStart = reader.position
      reader.position += nameBytes
      const valueBytes = reader.int()
      const valueStart = reader.position
      if (valueBytes > 0) reader.position += valueBytes
      if (nameBytes === SUBJECT.length && isName(bytes, nameStart, SUBJECT)) {
        this.#subjectStart = valueStart
        this.#subjectBytes = valueBytes
      } else if (nameBytes === ID.length && isName(bytes, nameStart, ID)) {
        this.#idStart = valueStart
        this.#idBytes = valueBytes
      } else if (nameBytes === TTL.length && isName(bytes, nameStart, TTL)) {
        this.#ttlStart = valueStart
        this.#ttlBytes = valueBytes
      } else if (nameBytes === REPLAY.length && isName(bytes, nameStart, REPLAY)) {
        this.#replayStart = valueStart
        this.#replayBytes = valueBytes
      } else if (nameBytes === TIME.length && isName(bytes, nameStart, TIME)) {
        this.#timeStart = valueStart
        this.#timeBytes = valueBytes
      }
    }
  }

  #text(start: number, length: number): string {
    return length <= 0 ? '' : (this.source.bytes as TextBuffer).utf8Slice(start, start + length)
  }

  get byteLength(): number {
    return this.#end - this.recordStart
  }

  get key(): string | undefined {
    return this.#keyBytes < 0 ? undefined : this.#text(this.#keyStart, this.#keyBytes)
  }

  get subject(): string {
    return this.#subjectStart < 0 ? this.source.topic : this.#text(this.#subjectStart, this.#subjectBytes)
  }

  /** The key, or the subject where there is none. */
  get orderKey(): string {
    return this.key ?? this.subject
  }

  get value(): Uint8Array | null {
    if (this.#valueBytes < 0) return null
    return this.source.bytes.subarray(this.#valueStart, this.#valueStart + this.#valueBytes)
  }

  get text(): string {
    return this.#text(this.#valueStart, this.#valueBytes)
  }

  get id(): string | undefined {
    return this.#idStart < 0 ? undefined : this.#text(this.#idStart, this.#idBytes)
  }

  /** The message's own; undefined when it names none. */
  get ttlMs(): number | undefined {
    return this.#ttlStart < 0 ? undefined : Number(this.#text(this.#ttlStart, this.#ttlBytes))
  }

  /** The one group that it is for; undefined when it is for all. */
  get replayGroup(): string | undefined {
    return this.#replayStart < 0 ? undefined : this.#text(this.#replayStart, this.#replayBytes)
  }

  get timestampMs(): number {
    if (this.#timeStart >= 0) return Number(this.#text(this.#timeStart, this.#timeBytes))
    return this.source.firstTimestampMs + this.#timeDelta
  }

  get appendedAtMs(): number {
    return this.source.hasAppendTime ? this.source.maxTimestampMs : this.source.firstTimestampMs + this.#timeDelta
  }

  /** All but the subject and the time, which have places of their own. */
  headers(): Headers {
    const headers: Record<string, string> = {}
    const reader = this.#reader
    reader.position = this.#headersStart
    for (let left = reader.int(); left > 0; left -= 1) {
      const nameBytes = reader.int()
      const name = this.#text(reader.position, nameBytes)
      reader.position += nameBytes
      const valueBytes = reader.int()
      const value = this.#text(reader.position, valueBytes)
      if (valueBytes > 0) reader.position += valueBytes
      if (name !== SUBJECT_NAME && name !== TIME_NAME) headers[ownName(name)] = value
    }
    return headers
  }
}

function isName(bytes: Buffer, start: number, name: Buffer): boolean {
  for (let index = 0; index < name.length; index += 1) if (bytes[start + index] !== name[index]) return false
  return true
}
