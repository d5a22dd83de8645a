/** One record as the writer hands it in. */
export interface RecordInput {
  readonly subject: string
  readonly key?: string | undefined
  /** Text is written as UTF-8; null is a tombstone. */
  readonly value: Uint8Array | string | null
  /** The same object given again is encoded once: share constant headers. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Milliseconds since 1970-01-01 UTC. */
  readonly timestampMs: number
}

/**
 * The encoded body of one batch: what the log stores, the wire carries and the reader decodes, never re-encoded on the
 * way. `parts` are consecutive pieces of it; they are the builder's own memory until the append has resolved.
 */
export interface EncodedRecords {
  readonly parts: readonly Uint8Array[]
  readonly byteLength: number
  readonly count: number
  readonly firstTimestampMs: number
  readonly lastTimestampMs: number
  /** Every distinct subject in it: the body's own table. */
  readonly subjects: readonly string[]
  /** Of a builder with a pool: give it back once nothing refers to `parts` any more. */
  readonly memory?: Uint8Array
}

/**
 * Walks the records of a body without allocating per record. Fields describe the current record after `next()` gave
 * true. Every length is checked against the body: a malformed one throws `corrupt`, it never reads out of bounds.
 */
export interface RecordCursor {
  next(): boolean
  /** Back to before the first record. */
  rewind(): void
  /** Where the current record begins in the body: give it to `moveTo` to come back to it later. */
  readonly recordStart: number
  /** Makes the record that begins there the current one; free when it is already. */
  moveTo(recordStart: number): void
  /** Every distinct subject of the body, read from its table alone: a filtered reader can pass a batch over. */
  subjects(): readonly string[]
  readonly offset: number
  readonly timestampMs: number
  readonly subject: string
  readonly key: string | undefined
  readonly isTombstone: boolean
  /** Where the value lies in `bytes`; equal ends for an empty value. */
  readonly bytes: Uint8Array
  readonly valueStart: number
  readonly valueEnd: number
  /** Decoded on call; the same header bytes as the record before give the same frozen object. */
  headers(): Readonly<Record<string, string>>
  /** One header without decoding the others. */
  header(name: string): string | undefined
  valueText(): string
  /** A view, not a copy: keep a copy if you keep it. */
  valueBytes(): Uint8Array
}
