import type { Reader, ReaderOptions, ReadLimits, SettleOptions } from './bus.ts'
import type { Durability, RequestedDurability } from './capabilities.ts'
import type { Position } from './message.ts'

/**
 * What a node's gateway needs beside the port, so that bytes pass through it untouched: batches that a client encoded,
 * and stored batches that a client will decode. Only a driver with a log of its own can offer it.
 */
export interface RawAccess {
  /**
   * Appends one encoded body to one partition. The body is checked as untrusted data; ids, TTL and sizes are enforced
   * as for `Writer.write`. The order of calls is the order in the log. Rejects with `corrupt` for a malformed body,
   * `message-too-large`, `bad-subject`, or `WriteError`.
   */
  writeEncoded(write: EncodedWrite): Promise<EncodedReceipt>
  rawReader(topic: string, options: ReaderOptions): RawReader
}

export interface EncodedWrite {
  readonly topic: string
  readonly partition: number
  /** A body as it came over the wire; it is checked here. */
  readonly body: Uint8Array
  readonly firstTimestampMs: number
  /** Chosen at random by the client, below 2^48; the same for as long as it may resend. */
  readonly producerId: number
  /** Rises by one per batch of this producer in this partition. A sequence seen before gets the first result again. */
  readonly sequence: number
  /** Default: the topic's. */
  readonly durability?: RequestedDurability
}

export interface EncodedReceipt {
  /** The last position of this batch in the partition. */
  readonly last: Position
  readonly accepted: number
  /** Indexes of records that were there already by their id. */
  readonly duplicates: readonly number[]
  readonly durability: Durability
  /** The sequence was seen before: nothing was appended now. */
  readonly repeated: boolean
}

/** A reader whose batches stay encoded. Everything else is as with `Reader`. */
export interface RawReader extends Omit<Reader, 'read' | 'acknowledge' | 'settle'> {
  readRaw(limits?: ReadLimits): Promise<RawBatch | null>
  /**
   * Of a broadcast reader over what is stored: the next message of every partition, so that its client can go on from there
   * after a broken connection. Undefined for a group, whose place is stored, and where nothing is.
   */
  places(): Promise<readonly Position[] | undefined>
  /**
   * As `Reader.acknowledge`. `ordinal`: of the last batch of this partition that the application has taken; what was sent
   * ahead of it stays in hand, even where a message comes for the second time.
   */
  acknowledge(through: Position, generation?: number, ordinal?: number): Promise<void>
  /** As `Reader.settle`. `expired`: its time to live ended before the client's application had it, so it is done. */
  settle(
    messages: readonly SettledMessage[],
    how: 'retry' | 'release' | 'dead' | 'expired',
    options: SettleOptions & { readonly generation: number },
  ): Promise<void>
}

/** One message to settle, named by the client that has it in hand. */
export interface SettledMessage {
  readonly position: Position
  /** Its key, or its subject when it has none: later messages of this key are held back behind it. */
  readonly orderKey: string
}

/** As `Batch`, but its messages still encoded, in one or more pieces. */
export interface RawBatch {
  readonly topic: string
  readonly partition: number
  readonly generation: number
  /** Rises with every batch of this partition and generation. */
  readonly ordinal: number
  readonly pieces: readonly RawPiece[]
  readonly count: number
  readonly last: Position
  /** Deliveries that are not the first: `[offset, attempt]`, ascending. Mostly empty. */
  readonly attempts: ReadonlyArray<readonly [offset: number, attempt: number]>
}

export interface RawPiece {
  /** Give it to `recordCursor(body, baseOffset, firstTimestampMs)`. */
  readonly body: Uint8Array
  readonly baseOffset: number
  readonly firstTimestampMs: number
  readonly appendedAtMs: number
  /** A stored body: records from here through `throughOffset` are given, the others are not. */
  readonly fromOffset: number
  readonly throughOffset: number
  /** A re-framed body (filters, expiry, parking): the true offset of each of its records. Undefined: as stored. */
  readonly offsets: readonly number[] | undefined
  /** Records given. */
  readonly count: number
}
