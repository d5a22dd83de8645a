import { ClosedError } from '../../core/index.ts'
import type { Receipt, Writer } from '../bus.ts'
import type { Message } from '../message.ts'

/** A writer of a topic that this bus has not opened: the servers are asked for it with the first write. */
export class LateWriter implements Writer {
  readonly #topic: string
  readonly #open: () => Promise<Writer>
  #opening: Promise<Writer> | undefined
  #writer: Writer | undefined
  #isClosed = false

  constructor(topic: string, open: () => Promise<Writer>) {
    this.#topic = topic
    this.#open = open
  }

  get full(): boolean {
    return this.#writer?.full ?? false
  }

  async write(batch: readonly Message[]): Promise<Receipt> {
    return (this.#writer ?? (await this.#opened())).write(batch)
  }

  #opened(): Promise<Writer> {
    if (this.#isClosed) return Promise.reject(new ClosedError(`the writer of "${this.#topic}"`))
    this.#opening ??= this.#open().then(
      (writer) => {
        this.#writer = writer
        return writer
      },
      (error: unknown) => {
        this.#opening = undefined
        throw error
      },
    )
    return this.#opening
  }

  async drained(options?: { readonly signal?: AbortSignal }): Promise<void> {
    await this.#writer?.drained(options)
  }

  async drain(): Promise<void> {
    this.#isClosed = true
    await (await this.#opening)?.drain()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await (await this.#opening?.catch(() => undefined))?.close()
  }
}
