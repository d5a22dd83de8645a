import type { Message, Writer } from '../bus/index.ts'
import { type Clock, SkeinError, type Timer } from '../core/index.ts'

const WAITING_MAX = 10_000
const BATCH_MAX = 500
const RETRY_DELAY_MS = 500

interface EventTellerOptions {
  readonly writer: Writer
  readonly clock: Clock
  readonly onError: (error: unknown) => void
}

/**
 * Tells the swarm's events, in order, after what they tell of is durable. What cannot be written is tried again; their
 * ids make a repeat harmless. Beyond its bound the oldest are given up, which is reported.
 */
export class EventTeller {
  readonly #options: EventTellerOptions
  readonly #waiting: Message[] = []
  #telling: Promise<void> | undefined
  #retryTimer: Timer | undefined
  #closed = false

  constructor(options: EventTellerOptions) {
    this.#options = options
  }

  tell(messages: readonly Message[]): void {
    if (messages.length === 0 || this.#closed) return
    this.#waiting.push(...messages)
    const excess = this.#waiting.length - WAITING_MAX
    if (excess > 0) {
      this.#waiting.splice(0, excess)
      this.#options.onError(
        new SkeinError(
          'overloaded',
          `Cannot keep more than ${WAITING_MAX} untold swarm events: ${excess} were given up`,
        ),
      )
    }
    this.#start()
  }

  /** Resolves when everything is told, or when telling failed and waits for its next try. */
  async drain(): Promise<void> {
    this.#start()
    await this.#telling
    this.close()
  }

  close(): void {
    this.#closed = true
    this.#retryTimer?.cancel()
  }

  #start(): void {
    if (this.#telling || this.#waiting.length === 0) return
    this.#retryTimer?.cancel()
    this.#telling = this.#tellAll()
  }

  /** Nothing may come between its last look and its end: it would wait for the next event. */
  async #tellAll(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        const batch = this.#waiting.slice(0, BATCH_MAX)
        await this.#options.writer.write(batch)
        this.#waiting.splice(0, batch.length)
      }
    } catch (error) {
      this.#failed(error)
    } finally {
      this.#telling = undefined
    }
  }

  #failed(error: unknown): void {
    if (this.#closed) return
    this.#options.onError(error)
    this.#retryTimer = this.#options.clock.setTimer(() => this.#start(), RETRY_DELAY_MS)
  }
}
