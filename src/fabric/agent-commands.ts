import type { AnyChannel, CommandChannel, CommandHandler, CommandReceiver, InboxStore } from '../channel/index.ts'
import { checkChannel } from '../channel/index.ts'
import { SkeinError } from '../core/index.ts'

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
  stop(): void
  stopped: boolean
}

/**
 * An agent's handlers. Those registered in one turn start together once their topics are open, so that the first
 * command finds all of them.
 */
export class AgentCommands {
  readonly #options: AgentCommandsOptions
  /** The kinds of commands that have a handler, started or waiting. */
  readonly #kinds = new Set<string>()
  #waiting: Waiting[] = []
  #starting: Promise<void> = Promise.resolve()
  #closing: Promise<void> | undefined

  constructor(options: AgentCommandsOptions) {
    this.#options = options
  }

  /** Throws `bad-argument` for a kind of command that has a handler already. */
  handle<T, R>(command: CommandChannel<T, R>, handler: CommandHandler<T, R>): () => void {
    checkChannel('handle', command)
    const kind = `${command.topic} ${command.type}`
    if (this.#kinds.has(kind)) throw handledAlready(command.type)
    this.#kinds.add(kind)
    let stop: (() => void) | undefined
    const waiting: Waiting = {
      start: () => {
        stop = this.#options.receiver.handle(command, handler)
      },
      opened: this.#options.open(command),
      // Once: the kind may have another handler by the time it is called again.
      stop: () => {
        if (waiting.stopped) return
        waiting.stopped = true
        this.#kinds.delete(kind)
        stop?.()
      },
      stopped: false,
    }
    if (this.#waiting.length === 0) this.#starting = this.#starting.then(() => this.#startWaiting())
    this.#waiting.push(waiting)
    return () => waiting.stop()
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
    for (const [index, result] of results.entries()) {
      if (result.status === 'fulfilled') this.#start(waiting[index]!)
      else this.#failed(waiting[index]!, result.reason)
    }
  }

  #start(waiting: Waiting): void {
    if (waiting.stopped || this.#closing !== undefined) return
    try {
      waiting.start()
    } catch (error) {
      // The receiver ended by itself meanwhile: a newer session of this agent is there.
      this.#failed(waiting, error)
    }
  }

  /** Its kind may be handled anew. */
  #failed(waiting: Waiting, error: unknown): void {
    waiting.stop()
    this.#options.onError(error)
  }

  async #end(finish: () => Promise<void>): Promise<void> {
    await this.#starting
    await finish()
    await this.#options.inbox.close()
  }
}

function handledAlready(type: string): SkeinError {
  const message = `Cannot handle "${type}": it has a handler already; stop that one first, with what handle() returned`
  return new SkeinError('bad-argument', message, { details: { type } })
}
