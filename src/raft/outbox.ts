import type { Message } from './message.ts'

const NOTHING: readonly Message[] = []

/** Messages on their way out: those that may leave at once, and those that must wait until what they say is durable. */
export class Outbox {
  #atOnce: Message[] = []
  #afterPersist: Message[] = []

  get isEmpty(): boolean {
    return this.#atOnce.length === 0 && this.#afterPersist.length === 0
  }

  get hasWaiting(): boolean {
    return this.#afterPersist.length > 0
  }

  atOnce(message: Message): void {
    this.#atOnce.push(message)
  }

  /** An acknowledgment that says more than the one just before it, to the same leader, takes its place. */
  afterPersist(message: Message): void {
    const last = this.#afterPersist.at(-1)
    if (
      message.type === 'append-accepted' &&
      last?.type === 'append-accepted' &&
      last.to === message.to &&
      last.term === message.term &&
      last.index <= message.index
    ) {
      this.#afterPersist.pop()
    }
    this.#afterPersist.push(message)
  }

  takeAtOnce(): readonly Message[] {
    if (this.#atOnce.length === 0) return NOTHING
    const taken = this.#atOnce
    this.#atOnce = []
    return taken
  }

  takeAfterPersist(): readonly Message[] {
    if (this.#afterPersist.length === 0) return NOTHING
    const taken = this.#afterPersist
    this.#afterPersist = []
    return taken
  }
}
