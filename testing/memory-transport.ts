import type { CloseReason, Transport, TransportEvents } from '../src/wire/index.ts'

/** One end of an in-memory connection. It carries nothing by itself: `deliver` does, so that a test decides when. */
export class MemoryTransport implements Transport {
  readonly #outbox: Uint8Array[] = []
  #events: TransportEvents | undefined
  #peer: MemoryTransport | undefined
  #isClosed = false
  closedWith: CloseReason | undefined

  static pair(): readonly [MemoryTransport, MemoryTransport] {
    const left = new MemoryTransport()
    const right = new MemoryTransport()
    left.#peer = right
    right.#peer = left
    return [left, right]
  }

  get bufferedBytes(): number {
    return this.#outbox.reduce((sum, frame) => sum + frame.length, 0)
  }

  /** Frames given to `send` and not delivered. */
  get pending(): number {
    return this.#outbox.length
  }

  send(frame: Uint8Array): void {
    if (!this.#isClosed) this.#outbox.push(frame)
  }

  cork(): void {}

  uncork(): void {}

  attach(events: TransportEvents): void {
    this.#events = events
  }

  /** Brings up to `count` frames to the other end; the number brought. */
  deliver(count = Number.POSITIVE_INFINITY): number {
    let delivered = 0
    while (delivered < count && this.#outbox.length > 0) {
      const frame = this.#outbox.shift()!
      delivered += 1
      this.#peer?.receive(frame)
      this.#events?.onSent()
    }
    return delivered
  }

  receive(frame: Uint8Array): void {
    if (!this.#isClosed) this.#events?.onFrame(frame)
  }

  close(reason: CloseReason): void {
    if (this.#isClosed) return
    this.closedWith = reason
    this.deliver()
    this.destroy()
  }

  destroy(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#outbox.length = 0
    this.#events?.onClosed()
    this.#peer?.destroy()
  }
}
