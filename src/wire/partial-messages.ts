/** A message of which not all frames have come. */
export interface PartialMessage {
  /** Memory it takes. */
  readonly heldBytes: number
  /** Gives it up, with the connection it comes over: what follows of it could not be understood. */
  abandon(): void
}

/**
 * The messages that have only begun, over all connections of a process. A peer that announces large ones and does not
 * end them holds memory for as long as it likes, and many such peers hold it many times over: beyond the bound those
 * that got nothing for longest are given up. Who sends on loses nothing, so that the bound is no way to shut others out.
 */
export class PartialMessages {
  readonly #bytesMax: number
  /** In the order of their last frame. */
  readonly #held = new Map<PartialMessage, number>()
  #bytes = 0

  /** Should be several times as much as one message may have. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get byteLength(): number {
    return this.#bytes
  }

  /** A frame of the message came, and it may hold more now. */
  touch(message: PartialMessage): void {
    this.end(message)
    this.#held.set(message, message.heldBytes)
    this.#bytes += message.heldBytes
    while (this.#bytes > this.#bytesMax) {
      const [oldest] = this.#held.keys()
      if (oldest === undefined || oldest === message) return
      this.end(oldest)
      oldest.abandon()
    }
  }

  /** It is whole, or its connection has ended. */
  end(message: PartialMessage): void {
    this.#bytes -= this.#held.get(message) ?? 0
    this.#held.delete(message)
  }
}
