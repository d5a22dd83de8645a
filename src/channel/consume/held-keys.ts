/**
 * Keys of which a message failed, while batches that were read before still hold later messages of theirs. Those must
 * not be handled now: they are released, and the bus parks them behind the failed one.
 */
export class HeldKeys {
  /** Key → the last batch that may have been read before the failure was settled. */
  readonly #keys = new Map<string, number>()

  get isEmpty(): boolean {
    return this.#keys.size === 0
  }

  has(key: string): boolean {
    return this.#keys.has(key)
  }

  /** From now until `settled`, every batch counts as read before. */
  hold(key: string): void {
    this.#keys.set(key, Number.POSITIVE_INFINITY)
  }

  /** Everything held so far is settled; batches read after `lastOrdinal` come in the right order by themselves. */
  settled(lastOrdinal: number): void {
    for (const [key, ordinal] of this.#keys) {
      if (ordinal === Number.POSITIVE_INFINITY) this.#keys.set(key, lastOrdinal)
    }
  }

  /** A batch begins: what only earlier ones had to fear is over. */
  begin(ordinal: number): void {
    for (const [key, last] of this.#keys) if (last < ordinal) this.#keys.delete(key)
  }

  /** Another assignment: the bus gives everything that is not settled again, in order. */
  clear(): void {
    this.#keys.clear()
  }
}
