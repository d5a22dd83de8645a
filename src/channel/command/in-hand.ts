export interface InHandMax {
  readonly count: number
  readonly bytes: number
}

/** How much more may be read now. */
export interface Room {
  readonly maxMessages: number
  readonly maxBytes: number
}

/**
 * What was read and is not done yet, bounded in number and in bytes: who reads asks for room first. The last read may
 * pass the bound on bytes by one message, because one that is larger than the room left must come through all the same.
 */
export class InHand {
  readonly #max: () => InHandMax
  #count = 0
  #bytes = 0
  #waiting: Array<() => void> = []

  /** `max` is asked each time: the share of one reader changes when another one begins. */
  constructor(max: () => InHandMax) {
    this.#max = max
  }

  /** Takes room for one; returns the way to give it back, which does so once. */
  take(bytes: number): () => void {
    this.#count += 1
    this.#bytes += bytes
    let isBack = false
    return () => {
      if (isBack) return
      isBack = true
      this.#count -= 1
      this.#bytes -= bytes
      for (const wake of this.#waiting.splice(0)) wake()
    }
  }

  /** Waits until there is room. Rejects with `signal.reason`. */
  async room(signal: AbortSignal): Promise<Room> {
    for (;;) {
      signal.throwIfAborted()
      const max = this.#max()
      const room = { maxMessages: max.count - this.#count, maxBytes: max.bytes - this.#bytes }
      if (room.maxMessages > 0 && room.maxBytes > 0) return room
      const { promise, resolve } = Promise.withResolvers<void>()
      const wake = () => resolve()
      this.#waiting.push(wake)
      signal.addEventListener('abort', wake)
      await promise
      signal.removeEventListener('abort', wake)
    }
  }
}
