interface HeldKey {
  /** Of the message that failed. */
  readonly sequence: number
  /** It came again, or it never will: what was given back behind it has come. */
  isBack: boolean
  /** Later messages of the key that were given back, to come again behind it. */
  readonly released: Set<number>
}

/**
 * Keys of one partition of which a message failed, while later messages of theirs are already on the way: in the batch
 * in hand, or in a driver's buffer. Those are released, and the bus parks them behind the failed one. The key is free
 * again once the failed message and all that was released behind it have come: a driver may have given messages further
 * behind before it heard of the release. When a released one comes first, the failed one is dead or expired.
 */
export class HeldKeys {
  readonly #keys = new Map<string, HeldKey>()

  get isEmpty(): boolean {
    return this.#keys.size === 0
  }

  /** This message failed and was given back to be retried; of several chunks, the last. */
  hold(key: string, sequence: number): void {
    this.#keys.set(key, { sequence, isBack: false, released: new Set() })
  }

  /** Whether this message has to be released now. */
  holdsBack(key: string, sequence: number): boolean {
    const held = this.#keys.get(key)
    if (held === undefined) return false
    const comesAgain = sequence <= held.sequence || held.released.has(sequence)
    if (!comesAgain && (!held.isBack || held.released.size > 0)) {
      held.released.add(sequence)
      return true
    }
    held.isBack = true
    // They come in order: what was released before this one and has not come is not there any more.
    for (const released of held.released) if (released <= sequence) held.released.delete(released)
    if (held.released.size === 0) this.#keys.delete(key)
    return false
  }

  /** Another assignment: the bus gives everything that is not settled again, in order. */
  clear(): void {
    this.#keys.clear()
  }
}
