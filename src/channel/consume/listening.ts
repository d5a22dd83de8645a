import type { Reader } from '../../bus/index.ts'
import type { Inbound } from './inbound.ts'
import type { ReceivedMessage } from './received-message.ts'

export interface ListeningOptions<T> {
  readonly reader: Reader
  readonly inbound: Inbound<T>
  readonly handler: (message: ReceivedMessage<T>) => unknown
  readonly onError: (error: unknown) => void
}

/** A broadcast reader of notices: what comes while the handler is slow replaces the oldest that waits, and is counted. */
export class Listening<T> {
  readonly #options: ListeningOptions<T>
  readonly #stop = new AbortController()
  readonly #done: Promise<void>

  constructor(options: ListeningOptions<T>) {
    this.#options = options
    this.#done = this.#run()
  }

  /** Notices that were lost because this listener was slow. */
  get dropped(): number {
    return this.#options.reader.dropped
  }

  /** Resolves when it has stopped, by `stop()` or by an error that was reported. */
  get ended(): Promise<void> {
    return this.#done
  }

  /** Waits for the handler that runs. Idempotent. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#done
    await this.#options.reader.close()
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    try {
      while (!signal.aborted) {
        const batch = await this.#options.reader.read({ signal })
        for (const delivery of batch?.deliveries ?? []) {
          if (signal.aborted) return
          await this.#handle(delivery)
        }
      }
    } catch (error) {
      if (!signal.aborted) this.#options.onError(error)
    }
  }

  /** At most once: what fails is reported and not repeated. */
  async #handle(delivery: Parameters<Inbound<T>['open']>[0]): Promise<void> {
    try {
      const message = await this.#options.inbound.open(delivery)
      if (message !== undefined) await this.#options.handler(message)
    } catch (error) {
      this.#options.onError(error)
    }
  }
}
