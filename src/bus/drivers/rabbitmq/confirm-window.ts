import type { ConfirmChannel, Message as ReturnedMessage } from 'amqplib'
import { type Clock, SkeinError, type Timer } from '../../../core/index.ts'
import { headerOf } from './amqp-delivery.ts'
import { amqpError } from './amqp-error.ts'
import type { Connection } from './connection.ts'
import { FROM_HEADER, type Outgoing } from './envelope.ts'
import type { Link } from './link.ts'
import { useAndClose } from './with-channel.ts'

/** Sent and not confirmed. Enough to fill the way to the broker and back, few enough to send again in a moment. */
const UNCONFIRMED_MAX = 4_096
const COMPACT_ABOVE = 1_024
/** The oldest message has had no answer in so long: twice that at most before it is sent again. */
const STALLED_AFTER_MS = 5_000

export interface ConfirmWindowParts {
  readonly link: Link
  readonly exchange: string
  /** The one that everything goes to, where there is one: asked for before anything is sent over a new channel. */
  readonly queue: string | undefined
  readonly clock: Clock
}

/** One message on its way. Whoever it belongs to is told once what became of it. */
export interface Entry {
  readonly outgoing: Outgoing
  /** It may have reached the broker. */
  wasSent: boolean
  isSettled: boolean
  stored(): void
  failed(error: SkeinError, mayBeStored: boolean): void
}

/**
 * Publishes in order with a window of unconfirmed messages: no promise and no closure for any of them, since confirms name
 * ranges of numbers. After a broken connection everything unconfirmed is sent again, in order, before anything new; readers
 * know a repeat by the writer's number in it.
 *
 * A stream has a window, and so a channel, of its own. When its leader changes, brokers without the correction of 2024
 * (rabbitmq-server, pull request 12236; 3.10 is one) send again what is unconfirmed under the numbers of the channel, not of
 * the stream; where these differ they take later messages for repeats, and confirm them without storing them.
 */
export class ConfirmWindow {
  readonly #link: Link
  readonly #exchange: string
  readonly #queue: string | undefined
  readonly #clock: Clock
  readonly #stopListening: () => void
  #waiting: Entry[] = []
  #waitingHead = 0
  /** Those with the numbers from `#firstTag` on; settled ones stay until all before them are. */
  #sent: Entry[] = []
  #sentHead = 0
  #firstTag = 1
  #channel: ConfirmChannel | undefined
  #connection: Connection | undefined
  #isOpening = false
  /** The socket has taken as much as it should. */
  #isFull = false
  /** Something came back: the numbers of the channel are not those of the stream any more. */
  #isSpoiled = false
  #isClosed = false
  #watch: Timer | undefined
  /** The oldest unconfirmed message when it was last looked at. */
  #oldest: Entry | undefined

  constructor(parts: ConfirmWindowParts) {
    const { link, exchange } = parts
    this.#link = link
    this.#exchange = exchange
    this.#queue = parts.queue
    this.#clock = parts.clock
    this.#stopListening = link.onChange(() => this.#pump())
  }

  push(entry: Entry): void {
    this.#waiting.push(entry)
  }

  /** After the last `push` of a batch. */
  flush(): void {
    this.#pump()
  }

  #pump(): void {
    if (this.#waitingHead === this.#waiting.length) return
    if (this.#channel === undefined) {
      if (!this.#isOpening && !this.#isClosed) void this.#open()
      return
    }
    if (this.#connection!.blockedBecause !== undefined) return
    while (this.#hasWindow && this.#waitingHead < this.#waiting.length) {
      if (!this.#publish(this.#channel, this.#waiting[this.#waitingHead]!)) return
    }
  }

  get #hasWindow(): boolean {
    return !this.#isFull && !this.#isSpoiled && this.#sent.length - this.#sentHead < UNCONFIRMED_MAX
  }

  /** False when the channel is gone: what waits, waits for the next. */
  #publish(channel: ConfirmChannel, entry: Entry): boolean {
    const { routingKey, content, options } = entry.outgoing
    try {
      this.#isFull = !channel.publish(this.#exchange, routingKey, content, options)
    } catch (cause) {
      if (channel !== this.#channel || this.#connection!.lost.aborted || isClosed(cause)) return false
      this.#takeWaiting()
      this.#fail(entry, amqpError(cause, 'Cannot encode a message'), false)
      return true
    }
    this.#takeWaiting()
    entry.wasSent = true
    this.#sent.push(entry)
    this.#watch ??= this.#clock.setTimer(() => this.#lookForStall(), STALLED_AFTER_MS)
    return true
  }

  /**
   * A broker that has just begun again takes messages for a stream whose leader is not there yet, and never says what became
   * of them. They are sent again over a new channel; what was stored after all is a repeat, which readers know.
   */
  #lookForStall(): void {
    this.#watch = undefined
    const oldest = this.#sent[this.#sentHead]
    if (oldest === undefined || this.#channel === undefined) return
    if (oldest === this.#oldest && this.#connection!.blockedBecause === undefined) {
      this.#renewChannel()
      return
    }
    this.#oldest = oldest
    this.#watch = this.#clock.setTimer(() => this.#lookForStall(), STALLED_AFTER_MS)
  }

  #renewChannel(): void {
    const channel = this.#channel
    if (channel === undefined) return
    this.#lose(channel, undefined)
    channel.close().catch(() => {})
  }

  #takeWaiting(): void {
    this.#waitingHead += 1
    if (this.#waitingHead < COMPACT_ABOVE || this.#waitingHead * 2 < this.#waiting.length) return
    this.#waiting = this.#waiting.slice(this.#waitingHead)
    this.#waitingHead = 0
  }

  async #open(): Promise<void> {
    this.#isOpening = true
    try {
      const [connection, channel] = await this.#openChannel()
      if (this.#isClosed) return void channel.close().catch(() => {})
      this.#begin(connection, channel)
    } catch (error) {
      // A closed bus does not come back, neither does a broker that refuses channels, nor a topic that was deleted.
      this.failAll(error as SkeinError)
    } finally {
      this.#isOpening = false
    }
    this.#pump()
  }

  /** Tries until it can, or never will. */
  async #openChannel(): Promise<readonly [Connection, ConfirmChannel]> {
    for (let failures = 1; ; failures += 1) {
      const connection = await this.#link.connection()
      try {
        await this.#findQueue(connection)
        return [connection, await connection.confirmChannel()]
      } catch (error) {
        if (this.#isClosed || !(error as SkeinError).retryable) throw error
      }
      await this.#link.pause(failures)
    }
  }

  /**
   * A broker that has just begun again takes connections before all its streams are there: until then it returns what is
   * for them as unroutable, stored nowhere, and stores what follows. An order that is broken so can't be mended by
   * sending again, and whoever asks for a stream is told whether it is to come or gone for good.
   */
  async #findQueue(connection: Connection): Promise<void> {
    const queue = this.#queue
    if (queue === undefined) return
    const action = `Cannot publish to "${this.#exchange}"`
    await useAndClose(await connection.channel(), action, (channel) => channel.checkQueue(queue))
  }

  #begin(connection: Connection, channel: ConfirmChannel): void {
    this.#channel = channel
    this.#connection = connection
    this.#isFull = false
    this.#isSpoiled = false
    this.#firstTag = 1
    let reason: Error | undefined
    channel.on('error', (error: Error) => {
      reason = error
    })
    channel.on('close', () => this.#lose(channel, reason))
    channel.on('drain', () => {
      this.#isFull = false
      this.#pump()
    })
    // What an earlier channel still says concerns numbers that are no more.
    const isCurrent = () => this.#channel === channel
    channel.on('ack', ({ deliveryTag, multiple }) => isCurrent() && this.#confirm(deliveryTag, multiple))
    channel.on('nack', ({ deliveryTag, multiple }) => {
      if (isCurrent()) this.#confirm(deliveryTag, multiple, refusedError(this.#exchange))
    })
    channel.on('return', (message) => isCurrent() && this.#returned(message))
  }

  /** `error`: the broker says that it did not take them. */
  #confirm(tag: number, multiple: boolean, error?: SkeinError): void {
    const last = tag - this.#firstTag
    for (let index = multiple ? this.#sentHead : last; index <= last; index += 1) {
      const entry = this.#sent[index]!
      if (error === undefined) this.#store(entry)
      else this.#fail(entry, error, false)
    }
    while (this.#sentHead < this.#sent.length && this.#sent[this.#sentHead]!.isSettled) this.#sentHead += 1
    if (this.#sentHead >= COMPACT_ABOVE && this.#sentHead * 2 >= this.#sent.length) {
      this.#firstTag += this.#sentHead
      this.#sent = this.#sent.slice(this.#sentHead)
      this.#sentHead = 0
    }
    // In bursts: one by one each would cost a write of the socket.
    if (this.#isSpoiled && this.#sentHead === this.#sent.length) this.#renewChannel()
    else if ((this.#sent.length - this.#sentHead) * 2 <= UNCONFIRMED_MAX) this.#pump()
  }

  #store(entry: Entry): void {
    if (entry.isSettled) return
    entry.isSettled = true
    entry.stored()
  }

  #fail(entry: Entry, error: SkeinError, mayBeStored: boolean): void {
    if (entry.isSettled) return
    entry.isSettled = true
    entry.failed(error, mayBeStored)
  }

  /** The broker sends back what no queue takes, before it confirms it: it is stored nowhere. */
  #returned(message: ReturnedMessage): void {
    const from = headerOf(message, FROM_HEADER)
    this.#isSpoiled = true
    for (let index = this.#sentHead; index < this.#sent.length; index += 1) {
      const entry = this.#sent[index]!
      const { headers } = entry.outgoing.options as { readonly headers: Readonly<Record<string, string>> }
      if (headers[FROM_HEADER] !== from) continue
      this.#fail(entry, unroutableError(this.#exchange), false)
      return
    }
  }

  #lose(channel: ConfirmChannel, reason: Error | undefined): void {
    if (this.#channel !== channel) return
    const { lost } = this.#connection!
    this.#channel = undefined
    this.#connection = undefined
    this.#oldest = undefined
    const unsettled = this.#sent.slice(this.#sentHead).filter((entry) => !entry.isSettled)
    this.#waiting = [...unsettled, ...this.#waiting.slice(this.#waitingHead)]
    this.#waitingHead = 0
    this.#sent = []
    this.#sentHead = 0
    const error = reason === undefined ? undefined : amqpError(reason, `Cannot publish to "${this.#exchange}"`)
    if (error !== undefined && !error.retryable && !lost.aborted) this.failAll(error)
    else this.#pump()
  }

  /** Gives up everything: what was ever sent may be stored. */
  failAll(error: SkeinError): void {
    const left = [...this.#sent.slice(this.#sentHead), ...this.#waiting.slice(this.#waitingHead)]
    this.#sent = []
    this.#sentHead = 0
    this.#waiting = []
    this.#waitingHead = 0
    const channel = this.#channel
    this.#channel = undefined
    channel?.close().catch(() => {})
    for (const entry of left) this.#fail(entry, error, entry.wasSent)
  }

  close(error: SkeinError): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#watch?.cancel()
    this.#stopListening()
    this.failAll(error)
  }
}

function isClosed(cause: unknown): boolean {
  return cause instanceof Error && cause.name === 'IllegalOperationError'
}

/** A full queue that rejects, or a queue that has no leader now. */
function refusedError(exchange: string): SkeinError {
  return new SkeinError(
    'overloaded',
    `Cannot publish to "${exchange}": the broker refused the message, because a queue behind it is full or has no leader; try again later`,
    { retryable: true, details: { exchange } },
  )
}

function unroutableError(exchange: string): SkeinError {
  return new SkeinError(
    'not-found',
    `Cannot publish to "${exchange}": no queue takes this subject, so that it would be stored nowhere; open the topic, or the group that is to read it`,
    { details: { exchange } },
  )
}
