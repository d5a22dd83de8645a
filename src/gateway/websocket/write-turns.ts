/** Starts the writes of one topic in the order in which they came, though some have to wait for their quota. */
export class WriteTurns {
  /** By topic: when the last that came has been started, or was refused. */
  readonly #started = new Map<string, Promise<void>>()

  /** Without anything to wait for it begins at once. A `wait` that rejects is a refusal: then nothing is begun. */
  start<T>(topic: string, wait: Promise<void> | undefined, begin: () => Promise<T>): Promise<T> {
    const before = this.#started.get(topic)
    return wait === undefined && before === undefined ? begin() : this.#startLater(topic, { wait, before, begin })
  }

  async #startLater<T>(
    topic: string,
    turn: {
      readonly wait: Promise<void> | undefined
      readonly before: Promise<void> | undefined
      readonly begin: () => Promise<T>
    },
  ): Promise<T> {
    const started = Promise.withResolvers<void>()
    this.#started.set(topic, started.promise)
    let result: Promise<T>
    try {
      await turn.wait
      await turn.before
      result = turn.begin()
    } finally {
      // One that was refused does not let those behind it past those before it.
      if (turn.before === undefined) started.resolve()
      else void turn.before.then(started.resolve)
      void started.promise.then(() => this.#forget(topic, started.promise))
    }
    return result
  }

  #forget(topic: string, started: Promise<void>): void {
    if (this.#started.get(topic) === started) this.#started.delete(topic)
  }
}
