/** Tells who wants to know that the connection broke and is there again: much may have happened meanwhile. */
export class Reconnections {
  readonly #listeners = new Set<() => void>()
  #connectionId: string | undefined

  /** Returns the way to stop. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** The connection as it is now; undefined while there is none. */
  connectionIs(connectionId: string | undefined): void {
    if (connectionId === undefined || connectionId === this.#connectionId) return
    const isFirst = this.#connectionId === undefined
    this.#connectionId = connectionId
    if (!isFirst) for (const listener of this.#listeners) listener()
  }
}
