import type { Channel, ChannelModel, ConfirmChannel } from 'amqplib'
import { type Clock, SkeinError } from '../../../core/index.ts'
import { amqpError } from './amqp-error.ts'

const GOODBYE_MS = 500

/**
 * One connection for as long as it lives. What came over it can be acknowledged over it alone: whoever holds a delivery holds
 * its channel, and a channel of a lost connection takes nothing.
 */
export class Connection {
  readonly model: ChannelModel
  readonly #clock: Clock
  readonly #lost = new AbortController()
  /** Why the broker takes nothing more for now; undefined when it does. */
  blockedBecause: string | undefined

  constructor(model: ChannelModel, clock: Clock) {
    this.model = model
    this.#clock = clock
    model.on('error', (error: Error) => this.#lose(error))
    model.on('close', (error?: Error) => this.#lose(error))
  }

  /** Aborted once the connection is gone; its reason says why. */
  get lost(): AbortSignal {
    return this.#lost.signal
  }

  #lose(cause: Error | undefined): void {
    if (this.#lost.signal.aborted) return
    const why = cause === undefined ? 'it was closed' : cause.message
    this.#lost.abort(
      new SkeinError('connection-lost', `The connection to RabbitMQ is gone: ${why}`, { cause, retryable: true }),
    )
  }

  /** Rejects with `connection-lost`. */
  async channel(): Promise<Channel> {
    return quiet(await this.#open(() => this.model.createChannel()))
  }

  /** A channel whose messages the broker confirms. */
  async confirmChannel(): Promise<ConfirmChannel> {
    return quiet(await this.#open(() => this.model.createConfirmChannel()))
  }

  async #open<C>(open: () => Promise<C>): Promise<C> {
    this.#lost.signal.throwIfAborted()
    try {
      return await open()
    } catch (cause) {
      throw amqpError(cause, 'Cannot open a channel')
    }
  }

  /** Says goodbye, and does not wait long for an answer: a broker that is gone gives none. */
  async close(): Promise<void> {
    if (this.#lost.signal.aborted) return
    const { promise: gone, resolve } = Promise.withResolvers<void>()
    this.model.on('error', () => resolve())
    this.model.on('close', () => resolve())
    this.model.close().then(resolve, () => resolve())
    this.#lose(undefined)
    const timer = this.#clock.setTimer(resolve, GOODBYE_MS)
    await gone
    timer.cancel()
  }
}

/** An error of a channel reaches whoever called or waits on it; without a listener it would end the process. */
function quiet<C extends Channel>(channel: C): C {
  channel.on('error', () => {})
  return channel
}
