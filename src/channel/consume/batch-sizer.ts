const MESSAGES_MIN = 16
const MESSAGES_START = 256
const MESSAGES_MAX = 4_096
const FAST_MS = 4
const SLOW_MS = 100

/**
 * How many messages to take in hand at once: many while they are handled fast, few while each takes long, because what
 * is in hand at a crash counts as tried.
 */
export class BatchSizer {
  readonly #min: number
  #messages: number

  constructor(messagesMin: number = MESSAGES_MIN) {
    this.#min = messagesMin
    this.#messages = Math.max(MESSAGES_START, messagesMin)
  }

  get messages(): number {
    return this.#messages
  }

  took(elapsedMs: number): void {
    if (elapsedMs < FAST_MS) this.#messages = Math.min(MESSAGES_MAX, this.#messages * 2)
    else if (elapsedMs > SLOW_MS) this.#messages = Math.max(this.#min, this.#messages >> 1)
  }
}
