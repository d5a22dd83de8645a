interface RunOptions {
  readonly signal?: AbortSignal
  readonly untilEnd?: boolean
}

/** What moves messages until it is told to end. */
interface Mover<Status> {
  run(options: RunOptions): Promise<void>
  status(): Promise<Status>
}

/** Bridges, or archives, that run and end together. */
export class Together<Status> {
  readonly #movers: ReadonlyArray<Mover<Status>>
  readonly #parts: AsyncDisposableStack

  constructor(movers: ReadonlyArray<Mover<Status>>, parts: AsyncDisposableStack) {
    this.#movers = movers
    this.#parts = parts
  }

  /** Until the signal, or the end of every source; one that fails ends the others, too. Rejects as that one does. */
  async run(options: RunOptions = {}): Promise<void> {
    const failed = new AbortController()
    const signal = options.signal ? AbortSignal.any([options.signal, failed.signal]) : failed.signal
    const running = this.#movers.map((mover) =>
      mover.run({ ...options, signal }).catch((error: unknown) => {
        failed.abort()
        throw error
      }),
    )
    const ends = await Promise.allSettled(running)
    for (const end of ends) if (end.status === 'rejected') throw end.reason
  }

  status(): Promise<readonly Status[]> {
    return Promise.all(this.#movers.map((mover) => mover.status()))
  }

  /** Lets the brokers go. Idempotent. */
  close(): Promise<void> {
    return this.#parts.disposeAsync()
  }
}
