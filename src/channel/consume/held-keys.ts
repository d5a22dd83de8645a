interface HeldKey {
  /** Of the message that failed. */
  readonly sequence: number
  /** Later messages of the key that were given back, to come again behind it. */
  readonly released: Set<number>
}

/**
 * Keys of one partition of which a message failed, while later messages of theirs are already on the way: in the batch
 * in hand, or in a driver's buffer. Those are released, and the bus parks them behind the failed one. The key is free
 * again when the failed message comes, or when one that was released comes: then the failed one is dead or expired.
 */
export class HeldKeys {
  readonly #keys = new Map<string, HeldKey>()

  get isEmpty(): boolean {
    return this.#keys.size === 0
  }

  /** This message failed and was given back to be retried. */
  hold(key: string, sequence: number): void {
    this.#keys.set(key, { sequence, released: new Set() })
  }

  /** Whether this message has to be released now. */
  holdsBack(key: string, sequence: number): boolean {
    const held = this.#keys.get(key)
    if (held === undefined) return false
    if (sequence > held.sequence && !held.released.has(sequence)) {
      held.released.add(sequence)
      return true
    }
    this.#keys.delete(key)
    return false
  }

  /** Another assignment: the bus gives everything that is not settled again, in order. */
  clear(): void {
    this.#keys.clear()
  }
}
