import { ClosedError } from '../../../core/index.ts'
import type { Message, Receipt, Writer, WriterOptions } from '../../index.ts'
import { WriteGate } from '../../kit/index.ts'
import type { EphemeralFanOut } from './ephemeral-fan-out.ts'

const PENDING_BYTES_MAX = 8 * 1024 * 1024

/** Writes into an ephemeral topic. It waits only for readers that asked for it (`overflow: 'wait'`). */
export class EphemeralWriter implements Writer {
  readonly #topic: EphemeralFanOut
  readonly #gate: WriteGate
  readonly #abort = new AbortController()
  readonly #onClosed: () => void

  constructor(topic: EphemeralFanOut, options: WriterOptions, onClosed: () => void) {
    this.#topic = topic
    this.#gate = new WriteGate(`the writer of "${topic.settings.name}"`, options.pendingBytesMax ?? PENDING_BYTES_MAX)
    this.#onClosed = onClosed
  }

  get full(): boolean {
    return this.#gate.full
  }

  async write(batch: readonly Message[]): Promise<Receipt> {
    const refusal = this.#gate.refusal()
    if (refusal !== undefined) throw refusal
    const { receipt, slow } = this.#topic.publish(batch)
    if (slow.length === 0) return receipt
    const bytes = batch.reduce((sum, { value }) => sum + (value?.length ?? 0), 1)
    this.#gate.enter(bytes)
    try {
      await Promise.all(slow.map((reader) => reader.room(this.#abort.signal)))
    } finally {
      this.#gate.leave(bytes)
    }
    return receipt
  }

  drained(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return this.#gate.wait('room', options.signal)
  }

  async drain(): Promise<void> {
    this.#stop()
    await this.#gate.wait('empty')
  }

  async close(): Promise<void> {
    this.#stop()
    this.#abort.abort(new ClosedError(`the writer of "${this.#topic.settings.name}"`))
  }

  #stop(): void {
    if (this.#gate.isClosed) return
    this.#gate.close()
    this.#onClosed()
  }
}
