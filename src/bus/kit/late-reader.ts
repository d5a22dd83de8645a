import { ClosedError } from '../../core/index.ts'
import type { Assignment, Lag, Reader, ReadLimits, SettleOptions, StartPosition } from '../bus.ts'
import type { Batch, Delivery, Position } from '../message.ts'

/** A reader of a topic that this bus has not opened: the servers are asked for it at once, and every call waits for that. */
export class LateReader implements Reader {
  readonly #topic: string
  readonly #opening: Promise<Reader>
  #reader: Reader | undefined
  #isClosed = false

  constructor(topic: string, open: () => Promise<Reader>) {
    this.#topic = topic
    this.#opening = open().then((reader) => {
      this.#reader = reader
      return reader
    })
    this.#opening.catch(() => {})
  }

  get dropped(): number {
    return this.#reader?.dropped ?? 0
  }

  async #opened(): Promise<Reader> {
    if (this.#isClosed) throw new ClosedError(`the reader of "${this.#topic}"`)
    return this.#reader ?? this.#opening
  }

  async read(limits?: ReadLimits): Promise<Batch | null> {
    return (await this.#opened()).read(limits)
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
    this.#isClosed = true
    await (await this.#opening.catch(() => undefined))?.drain()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await (await this.#opening.catch(() => undefined))?.close()
  }
}
