import type { AnyChannel, CommandChannel, CommandHandler, CommandReceiver, InboxStore } from '../channel/index.ts'

export interface AgentCommandsOptions {
  readonly receiver: CommandReceiver
  readonly inbox: InboxStore
  /** Opens the topic of a command, unless it is open. */
  readonly open: (command: AnyChannel) => Promise<void>
  readonly onError: (error: unknown) => void
}

interface Waiting {
  /** Hands the handler to the receiver. */
  start(): void
  readonly opened: Promise<void>
  stopped: boolean
}

/**
 * An agent's handlers. Those registered in one turn start together once their topics are open, so that the first
 * command finds all of them.
 */
export class AgentCommands {
  readonly #options: AgentCommandsOptions
  #waiting: Waiting[] = []
  #starting: Promise<void> = Promise.resolve()
  #closing: Promise<void> | undefined

  constructor(options: AgentCommandsOptions) {
    this.#options = options
  }

  handle<T, R>(command: CommandChannel<T, R>, handler: CommandHandler<T, R>): () => void {
    let stop: (() => void) | undefined
    const waiting: Waiting = {
      start: () => {
        stop = this.#options.receiver.handle(command, handler)
      },
      opened: this.#options.open(command),
      stopped: false,
    }
    if (this.#waiting.length === 0) this.#starting = this.#starting.then(() => this.#startWaiting())
    this.#waiting.push(waiting)
    return () => {
      waiting.stopped = true
      stop?.()
    }
  }

  /** Claims nothing more and waits for running handlers. Idempotent. */
  drain(): Promise<void> {
    this.#closing ??= this.#end(() => this.#options.receiver.drain())
    return this.#closing
  }

  /** Aborts running handlers. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#end(() => this.#options.receiver.close())
    return this.#closing
  }

  async #startWaiting(): Promise<void> {
    const waiting = this.#waiting
    this.#waiting = []
    const results = await Promise.allSettled(waiting.map(({ opened }) => opened))
    for (const [index, { status }] of results.entries()) {
      const { start, stopped } = waiting[index]!
      if (status === 'fulfilled' && !stopped && this.#closing === undefined) start()
    }
    for (const result of results) if (result.status === 'rejected') this.#options.onError(result.reason)
  }

  async #end(finish: () => Promise<void>): Promise<void> {
    await this.#starting
    await finish()
    await this.#options.inbox.close()
  }
}
