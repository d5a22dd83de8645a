import type {
  Assignment,
  Lag,
  Position,
  RawBatch,
  RawReader,
  SettledMessage,
  SettleOptions,
  StartPosition,
} from '../../bus/index.ts'
import type { Clock, SkeinError } from '../../core/index.ts'
import { failureToHead, Lane, Operation, type Precedence, type Session } from '../../wire/index.ts'
import { HandedOut, type Withdrawal, type Withdrawn } from './handed-out.ts'

export interface ReaderPumpOptions {
  readonly id: number
  readonly session: Session
  readonly precedence: Precedence
  readonly clock: Clock
  readonly reader: RawReader
  readonly lane: Lane
  readonly isGroup: boolean
  readonly credit: number
  readonly epoch: number
}

type Settling = SettleOptions & {
  readonly generation: number
  /** The group stops at a dead message: nothing behind it may be seen. */
  readonly wholePartition: boolean
}

/** Credit that counts: what was sent and not taken is kept here, too, until it is. */
const CREDIT_BYTES_MAX = 16 * 1024 * 1024

/** Stored bytes taken at once: more than a client puts into one body, little enough that other readers get their turn. */
const CHUNK_BYTES = 256 * 1024

/**
 * Brings one reader's batches to its client: as many bytes as the client has room for, and only while the connection's
 * lane is short. What the client has not taken when it goes away was never tried, and is released.
 */
export class ReaderPump {
  readonly id: number
  readonly reader: RawReader
  readonly #options: ReaderPumpOptions
  readonly #handedOut: HandedOut | undefined
  #credit: number
  #epoch: number
  #number = 0
  #isClosed = false
  #isPaused = false
  #isReading = false
  /** Nothing is read while it is above 0. */
  #holds = 0
  /** The last sequence that was sent of each partition since the last seek. */
  readonly #sent = new Map<number, number>()
  /** The read that is under way, and what is done with what it gives. */
  #bringing: Promise<void> = Promise.resolve()
  /** To be applied to the next batch as well. */
  #withdrawals: Withdrawal[] = []
  #reading = new AbortController()
  #moved = Promise.withResolvers<void>()
  /** Of the commands that were given and not acknowledged. */
  #urgentOver: (() => void) | undefined

  constructor(options: ReaderPumpOptions) {
    this.id = options.id
    this.reader = options.reader
    this.#options = options
    this.#credit = Math.min(options.credit, CREDIT_BYTES_MAX)
    this.#epoch = options.epoch
    this.#handedOut = options.isGroup ? new HandedOut(options.reader) : undefined
    options.reader.onAssignment((change) => this.#onAssignment(change))
  }

  start(): void {
    void this.#run()
  }

  /** The client has room again, or the application has taken more. */
  onCredit(credit: {
    readonly bytes: number
    readonly epoch: number
    readonly number?: number
    readonly sequence?: number
  }): void {
    const { number, sequence } = credit
    if (number !== undefined && sequence !== undefined) this.#handedOut?.taken(number, sequence)
    if (credit.epoch !== this.#epoch) return
    this.#credit = Math.min(this.#credit + credit.bytes, CREDIT_BYTES_MAX)
    this.#isPaused = false
    this.#wake()
  }

  /**
   * Settles, and takes back what the client has of the same keys and its application has not seen: those come after.
   * The answer is the number of the last batch that this holds for.
   */
  async settle(
    messages: readonly SettledMessage[],
    how: 'retry' | 'release' | 'dead' | 'expired',
    options: Settling,
  ): Promise<number> {
    const { wholePartition, ...settling } = options
    if (how === 'expired') {
      // Nothing of its key comes after it again.
      await this.reader.settle(messages, how, settling)
      return this.#number
    }
    const withdrawal = { behind: messages, wholePartition, generation: settling.generation }
    // What is being read now may have been given before this: it is treated as if it were.
    const through = this.#number + (this.#isReading ? 1 : 0)
    if (this.#isReading) this.#withdrawals.push(withdrawal)
    const settled = this.reader.settle(messages, how, settling)
    const back = this.#takeBack(this.#handedOut?.withdraw(withdrawal))
    await settled
    await back
    return through
  }

  #applyWithdrawals(): void {
    const withdrawals = this.#withdrawals
    this.#withdrawals = []
    for (const withdrawal of withdrawals) {
      // Revoked or closed meanwhile: then it is given again anyway.
      this.#takeBack(this.#handedOut?.withdraw(withdrawal, this.#number)).catch(() => {})
    }
  }

  async #takeBack(back: readonly Withdrawn[] = []): Promise<void> {
    for (const { generation, messages } of back) await this.reader.settle(messages, 'release', { generation })
  }

  /** A client's acknowledgment can mean only what its application has taken, not what was sent ahead. */
  acknowledge(through: Position, generation: number | undefined): Promise<void> {
    this.#noUrgency()
    return this.reader.acknowledge(through, generation, this.#handedOut?.ordinalOf(through.partition))
  }

  /** Resolves to the places of a broadcast reader behind it. */
  async seek(
    to: StartPosition,
    options: { readonly epoch: number; readonly credit: number },
  ): Promise<readonly Position[] | undefined> {
    this.#holds += 1
    this.#reading.abort()
    try {
      // What it gives after all was taken from the old place, or from the new one: neither may be lost between them.
      await this.#bringing
      this.#sent.clear()
      this.#epoch = options.epoch
      await this.#handedOut?.releaseOthers(partitionsOf(to))
      await this.reader.seek(to)
      return await this.reader.places()
    } finally {
      this.#epoch = options.epoch
      this.#credit = Math.min(options.credit, CREDIT_BYTES_MAX)
      this.#isPaused = false
      this.#holds -= 1
      this.#wake()
    }
  }

  /**
   * Of a broadcast reader also how far everything was sent, so that its client can count what is on its way. Nothing is
   * read between the two: what a read has taken is either sent or lag.
   */
  async lag(): Promise<{ readonly lag: readonly Lag[]; readonly sent: readonly Position[] }> {
    if (this.#options.isGroup) return { lag: await this.reader.lag(), sent: [] }
    this.#holds += 1
    this.#reading.abort()
    try {
      await this.#bringing
      const lag = await this.reader.lag()
      const sent = [...this.#sent].map(([partition, sequence]) => ({ partition, sequence }))
      return { lag: this.#isPaused ? lag.map(untold) : lag, sent }
    } finally {
      this.#holds -= 1
      this.#wake()
    }
  }

  /** `lost`: the client is gone, so what its application had taken counts as tried. */
  async close(how: 'drain' | 'close' | 'lost'): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#reading.abort()
    this.#noUrgency()
    this.#wake()
    if (how === 'drain') return this.reader.drain()
    await this.#handedOut?.release()
    await this.reader.close()
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      if (this.#holds > 0 || this.#isPaused || this.#credit <= 0) await this.#untilMoved()
      else if (!this.#options.session.hasRoom(this.#options.lane)) await this.#options.session.room()
      else {
        this.#bringing = this.#bringInTurn()
        await this.#bringing
      }
    }
  }

  async #bringInTurn(): Promise<void> {
    const { lane, precedence } = this.#options
    if (lane === Lane.bulk) await precedence.clear()
    if (this.#holds === 0 && !this.#isClosed) await this.#bring()
  }

  async #bring(): Promise<void> {
    const signal = this.#startReading()
    this.#isReading = true
    try {
      const batch = await this.reader.readRaw({ maxBytes: Math.min(this.#credit, CHUNK_BYTES), signal })
      this.#isReading = false
      // A reader that is closed has taken it back itself.
      if (batch === null || this.#isClosed) return
      this.#send(batch)
    } catch (error) {
      if (signal.aborted || this.#isClosed) return
      this.#fail(error as SkeinError)
    } finally {
      this.#isReading = false
    }
  }

  #send(batch: RawBatch): void {
    const { session, lane, clock, precedence, isGroup } = this.#options
    if (lane === Lane.urgent && isGroup) this.#urgentOver ??= precedence.begin()
    this.#number += 1
    this.#sent.set(batch.partition, batch.last.sequence)
    this.#handedOut?.add(this.#number, batch)
    this.#applyWithdrawals()
    const body = batch.pieces.map((piece) => piece.body)
    for (const part of body) this.#credit -= part.byteLength
    session.cast(Operation.deliver, {
      lane,
      head: {
        reader: this.id,
        number: this.#number,
        epoch: this.#epoch,
        partition: batch.partition,
        generation: batch.generation,
        lastSequence: batch.last.sequence,
        count: batch.count,
        pieces: batch.pieces.map((piece) => [
          piece.body.byteLength,
          piece.baseOffset,
          piece.firstTimestampMs,
          piece.appendedAtMs,
          piece.fromOffset,
          piece.throughOffset,
          piece.count,
          piece.offsets ?? null,
        ]),
        attempts: batch.attempts,
        dropped: this.reader.dropped,
        sentAtMs: clock.nowMs(),
      },
      body,
    })
  }

  /** Says so and waits: the client asks again when its application does. */
  #fail(error: SkeinError): void {
    const { session, lane } = this.#options
    this.#isPaused = true
    session.cast(Operation.readerFailed, {
      lane,
      head: { reader: this.id, epoch: this.#epoch, ...failureToHead(error) },
    })
  }

  /** The client answers when its application has let go; one that is gone has let go as well. */
  async #onAssignment(change: Assignment): Promise<void> {
    const { session } = this.#options
    try {
      await session.call(Operation.assignment, { lane: Lane.urgent, head: { reader: this.id, ...change } })
    } catch (error) {
      if (session.isOpen) throw error
    }
    await this.#handedOut?.release(change.removed)
  }

  #startReading(): AbortSignal {
    if (this.#reading.signal.aborted) this.#reading = new AbortController()
    return this.#reading.signal
  }

  async #untilMoved(): Promise<void> {
    this.#moved = Promise.withResolvers<void>()
    await this.#moved.promise
  }

  #noUrgency(): void {
    this.#urgentOver?.()
    this.#urgentOver = undefined
  }

  #wake(): void {
    this.#moved.resolve()
  }
}

/** A failure is on its way: a client that saw no lag would leave without having been told of it. */
function untold(lag: Lag): Lag {
  return { ...lag, messages: Math.max(1, lag.messages) }
}

/** Undefined when every partition is meant. */
function partitionsOf(to: StartPosition): readonly number[] | undefined {
  if (typeof to === 'string' || 'timestampMs' in to) return undefined
  const positions: readonly Position[] = 'partition' in to ? [to] : to
  return positions.map(({ partition }) => partition)
}
