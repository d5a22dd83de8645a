import type { Msg } from '@nats-io/transport-node'
import type { Connection } from './connection.ts'

type OnAck = (rest: string, message: Msg) => void

/** Where the servers answer what is published without waiting for each answer: one subscription for all writers of a bus. */
export class AckInbox {
  readonly #subject: string
  readonly #waiting = new Map<string, OnAck>()
  #nextId = 0

  constructor(connection: Connection) {
    this.#subject = connection.newInbox()
    connection.subscribe(`${this.#subject}.>`, (message) => this.#dispatch(message))
  }

  /** `subject`: answers to it and below it, as `subject.rest`, come to `onAck` until `close`. */
  open(onAck: OnAck): { readonly subject: string; close(): void } {
    const id = (this.#nextId++).toString(36)
    this.#waiting.set(id, onAck)
    return { subject: `${this.#subject}.${id}`, close: () => this.#waiting.delete(id) }
  }

  #dispatch(message: Msg): void {
    const { subject } = message
    const from = this.#subject.length + 1
    const dot = subject.indexOf('.', from)
    this.#waiting.get(subject.slice(from, dot))?.(subject.slice(dot + 1), message)
  }
}
