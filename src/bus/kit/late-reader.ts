import { type Clock, ClosedError } from '../../core/index.ts'
import type { Assignment, Lag, Reader, ReadLimits, SettleOptions, StartPosition } from '../bus.ts'
import type { Batch, Delivery, Position } from '../message.ts'
import { WaitPoint } from './wait-point.ts'

/**
 * A reader of a topic that this bus has not opened: the servers are asked for it at once, and every call waits for that; a read
 * no longer than it was to wait. Closing does not: a reader that comes afterwards is closed.
 */
export class LateReader implements Reader {
  readonly #opening: Promise<Reader>
  readonly #closing = Promise.withResolvers<never>()
  readonly #closedError: ClosedError
  readonly #clock: Clock
  /** Reads wait here until it is known what there is to read. */
  readonly #known: WaitPoint
  #isKnown = false
  #reader: Reader | undefined
  #isClosed = false

  constructor(topic: string, open: () => Promise<Reader>, clock: Clock) {
    this.#clock = clock
    this.#known = new WaitPoint(clock)
    this.#closedError = new ClosedError(`the reader of "${topic}"`)
    this.#opening = open().then(async (reader) => {
      if (this.#isClosed) await reader.close()
      this.#reader = reader
      return reader
    })
    const isKnown = () => {
      this.#isKnown = true
      this.#known.wake()
    }
    this.#opening.then(isKnown, isKnown)
    this.#closing.promise.catch(() => {})
  }

  get dropped(): number {
    return this.#reader?.dropped ?? 0
  }

  async #opened(): Promise<Reader> {
    if (this.#isClosed) throw this.#closedError
    return this.#reader ?? Promise.race([this.#opening, this.#closing.promise])
  }

  async read(limits: ReadLimits = {}): Promise<Batch | null> {
    if (this.#isKnown || this.#isClosed) return (await this.#opened()).read(limits)
    const { waitMs, signal } = limits
    signal?.throwIfAborted()
    const sinceMs = this.#clock.monotonicMs()
    await this.#known.wait({ delayMs: waitMs, signal })
    if (!this.#isKnown) return null
    const reader = await this.#opened()
    if (waitMs === undefined) return reader.read(limits)
    return reader.read({ ...limits, waitMs: Math.max(0, waitMs - (this.#clock.monotonicMs() - sinceMs)) })
  }

  async acknowledge(through: Position, generation?: number): Promise<void> {
    return (await this.#opened()).acknowledge(through, generation)
  }

  async settle(
    deliveries: readonly Delivery[],
    how: 'retry' | 'release' | 'dead',
    options?: SettleOptions,
  ): Promise<void> {
    return (await this.#opened()).settle(deliveries, how, options)
  }

  onAssignment(listener: (change: Assignment) => Promise<void> | void): void {
    this.#opening.then(
      (reader) => reader.onAssignment(listener),
      () => {},
    )
  }

  async seek(to: StartPosition): Promise<void> {
    return (await this.#opened()).seek(to)
  }

  async end(): Promise<readonly Position[]> {
    return (await this.#opened()).end()
  }

  async lag(): Promise<readonly Lag[]> {
    return (await this.#opened()).lag()
  }

  async drain(): Promise<void> {
    this.#close()
    await this.#reader?.drain()
  }

  async close(): Promise<void> {
    this.#close()
    await this.#reader?.close()
  }

  #close(): void {
    this.#isClosed = true
    this.#closing.reject(this.#closedError)
    this.#known.fail(this.#closedError)
  }
}
