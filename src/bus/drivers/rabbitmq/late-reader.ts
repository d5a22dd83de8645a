import { ClosedError } from '../../../core/index.ts'
import type {
  Assignment,
  Batch,
  Delivery,
  Lag,
  Position,
  Reader,
  ReadLimits,
  SettleOptions,
  StartPosition,
} from '../../index.ts'

/** A reader of a topic that is not known here yet: every call waits until it is, or rejects with `not-found`. */
export class LateReader implements Reader {
  readonly #topic: string
  readonly #opened: Promise<Reader>
  readonly #onClosed: () => void
  #reader: Reader | undefined
  #isClosed = false

  constructor(topic: string, parts: { readonly opened: Promise<Reader>; readonly onClosed: () => void }) {
    this.#topic = topic
    this.#onClosed = parts.onClosed
    this.#opened = parts.opened.then(async (reader) => {
      if (this.#isClosed) await reader.close()
      this.#reader = reader
      return reader
    })
    this.#opened.catch(() => {})
  }

  get dropped(): number {
    return this.#reader?.dropped ?? 0
  }

  #check(): Promise<Reader> {
    if (this.#isClosed) return Promise.reject(new ClosedError(`the reader of "${this.#topic}"`))
    return this.#opened
  }

  async read(limits: ReadLimits = {}): Promise<Batch | null> {
    return (await this.#check()).read(limits)
  }

  async acknowledge(through: Position, generation?: number): Promise<void> {
    await (await this.#check()).acknowledge(through, generation)
  }

  async settle(
    deliveries: readonly Delivery[],
    how: 'retry' | 'release' | 'dead',
    options?: SettleOptions,
  ): Promise<void> {
    await (await this.#check()).settle(deliveries, how, options)
  }

  onAssignment(listener: (change: Assignment) => Promise<void> | void): void {
    this.#opened.then((reader) => reader.onAssignment(listener)).catch(() => {})
  }

  async seek(to: StartPosition): Promise<void> {
    await (await this.#check()).seek(to)
  }

  async end(): Promise<readonly Position[]> {
    return (await this.#check()).end()
  }

  async lag(): Promise<readonly Lag[]> {
    return (await this.#check()).lag()
  }

  async drain(): Promise<void> {
    await this.#end((reader) => reader.drain())
  }

  async close(): Promise<void> {
    await this.#end((reader) => reader.close())
  }

  async #end(how: (reader: Reader) => Promise<void>): Promise<void> {
    this.#isClosed = true
    this.#onClosed()
    if (this.#reader !== undefined) await how(this.#reader)
  }
}
