import type { Channel, ConsumeMessage } from 'amqplib'
import {
  type Clock,
  ClosedError,
  checkFilter,
  checkSubject,
  errorText,
  type Random,
  SkeinError,
} from '../../../core/index.ts'
import type { Headers, Reply, Request, Requests } from '../../index.ts'
import { amqpError } from './amqp-error.ts'
import { bindingOf } from './binding.ts'
import type { Connection } from './connection.ts'
import type { Link } from './link.ts'
import type { Names } from './names.ts'

/** RabbitMQ's pseudo-queue: a reply goes straight to the channel that asked. */
const DIRECT_REPLY_TO = 'amq.rabbitmq.reply-to'
const ERROR_HEADER = 'skein-error'
const TRY_AGAIN_MS = 250

interface Asked {
  readonly subject: string
  readonly resolve: (reply: Reply) => void
  readonly reject: (error: unknown) => void
}

interface AskingChannel {
  readonly channel: Channel
  readonly lost: AbortSignal
}

/** Requests over a topic exchange, replies straight to the channel that asked. */
export class RabbitmqRequests implements Requests {
  readonly #link: Link
  readonly #names: Names
  readonly #clock: Clock
  readonly #random: Random
  readonly #asked = new Map<string, Asked>()
  readonly #answering = new Set<() => Promise<void>>()
  #opening: Promise<AskingChannel> | undefined
  #number = 0
  #isClosed = false

  constructor(parts: {
    readonly link: Link
    readonly names: Names
    readonly clock: Clock
    readonly random: Random
  }) {
    this.#link = parts.link
    this.#names = parts.names
    this.#clock = parts.clock
    this.#random = parts.random
  }

  async ask(request: Request, options: { readonly timeoutMs: number; readonly signal?: AbortSignal }): Promise<Reply> {
    if (this.#isClosed) throw new ClosedError('the bus')
    options.signal?.throwIfAborted()
    checkSubject(request.subject)
    const { promise, resolve, reject } = Promise.withResolvers<Reply>()
    const timer = this.#clock.setTimer(() => reject(timedOut(request.subject, options.timeoutMs)), options.timeoutMs, {
      keepAlive: true,
    })
    const onAbort = () => reject(options.signal?.reason)
    options.signal?.addEventListener('abort', onAbort, { once: true })
    this.#number += 1
    const id = String(this.#number)
    this.#asked.set(id, { subject: request.subject, resolve, reject })
    this.#send(id, request).catch(reject)
    try {
      return await promise
    } finally {
      timer.cancel()
      options.signal?.removeEventListener('abort', onAbort)
      this.#asked.delete(id)
    }
  }

  async #send(id: string, request: Request): Promise<void> {
    const { channel } = await this.#channel()
    if (!this.#asked.has(id)) return
    channel.publish(this.#names.requests, bindingOf(request.subject), contentOf(request.value), {
      mandatory: true,
      replyTo: DIRECT_REPLY_TO,
      correlationId: id,
      headers: { ...request.headers },
    })
  }

  async #channel(): Promise<AskingChannel> {
    const connection = await this.#link.connection()
    this.#opening ??= this.#open(connection).catch((error: unknown) => {
      this.#opening = undefined
      throw error
    })
    return this.#opening
  }

  async #open(connection: Connection): Promise<AskingChannel> {
    const channel = await connection.channel()
    try {
      await channel.assertExchange(this.#names.requests, 'topic', { durable: true })
      await channel.consume(DIRECT_REPLY_TO, (message) => message !== null && this.#onReply(message), { noAck: true })
    } catch (cause) {
      throw amqpError(cause, 'Cannot ask')
    }
    channel.on('return', ({ properties }) => {
      const asked = this.#asked.get(String(properties.correlationId))
      asked?.reject(noResponder(asked.subject))
    })
    channel.on('close', () => {
      this.#opening = undefined
      // At most once: whether somebody did what was asked is not known.
      for (const asked of [...this.#asked.values()]) asked.reject(lostReply(asked.subject))
    })
    return { channel, lost: connection.lost }
  }

  #onReply(message: ConsumeMessage): void {
    const { correlationId, headers } = message.properties
    const asked = this.#asked.get(String(correlationId))
    if (asked === undefined) return
    const { [ERROR_HEADER]: error, ...own } = (headers ?? {}) as Record<string, string>
    if (error === undefined) asked.resolve({ value: message.content, headers: own })
    else asked.reject(new SkeinError('handler-failed', `Asked "${asked.subject}", and its answer failed: ${error}`))
  }

  async answer(subject: string, handler: (request: Request) => Promise<Reply>): Promise<() => Promise<void>> {
    if (this.#isClosed) throw new ClosedError('the bus')
    checkFilter(subject)
    const stop = new AbortController()
    const begun = Promise.withResolvers<void>()
    const finished = this.#answerForEver(subject, handler, { signal: stop.signal, begun })
    const end = async () => {
      this.#answering.delete(end)
      stop.abort(new ClosedError('the answerer'))
      await finished
      await this.#removeQueue(subject)
    }
    this.#answering.add(end)
    await begun.promise
    return end
  }

  async #answerForEver(
    filter: string,
    handler: (request: Request) => Promise<Reply>,
    life: { readonly signal: AbortSignal; readonly begun: PromiseWithResolvers<void> },
  ): Promise<void> {
    const { signal, begun } = life
    while (!signal.aborted) {
      try {
        await this.#answerOnce(await this.#link.connection(signal), filter, handler, life)
      } catch (error) {
        if (signal.aborted) return begun.resolve()
        if (!(error as SkeinError).retryable) return begun.reject(error)
      }
      const delayMs = this.#random.float() * TRY_AGAIN_MS
      if (!signal.aborted) await this.#clock.sleep(delayMs, { signal }).catch(() => {})
    }
  }

  async #answerOnce(
    connection: Connection,
    filter: string,
    handler: (request: Request) => Promise<Reply>,
    life: { readonly signal: AbortSignal; readonly begun: PromiseWithResolvers<void> },
  ): Promise<void> {
    const channel = await connection.channel()
    const { promise: ended, resolve: end } = Promise.withResolvers<void>()
    channel.on('close', end)
    life.signal.addEventListener('abort', () => end(), { once: true })
    try {
      const queue = this.#names.answers(filter)
      await channel.assertExchange(this.#names.requests, 'topic', { durable: true })
      // Shared by all who answer this filter, and gone with the last of them.
      await channel.assertQueue(queue, { durable: false, autoDelete: true })
      await channel.bindQueue(queue, this.#names.requests, bindingOf(filter))
      await channel.consume(
        queue,
        (message) => (message === null ? end() : this.#onRequest(channel, message, handler)),
        {
          noAck: true,
        },
      )
      life.begun.resolve()
      await ended
    } catch (cause) {
      throw amqpError(cause, `Cannot answer "${filter}"`)
    } finally {
      await channel.close().catch(() => {})
    }
  }

  #onRequest(channel: Channel, message: ConsumeMessage, handler: (request: Request) => Promise<Reply>): void {
    const { replyTo, correlationId, headers } = message.properties
    const send = (value: Uint8Array | string, own: Headers) => {
      try {
        channel.sendToQueue(String(replyTo), contentOf(value), { correlationId: String(correlationId), headers: own })
      } catch {
        // The connection is gone, and who asked has been told so.
      }
    }
    const request: Request = {
      subject: message.fields.routingKey,
      value: message.content,
      headers: (headers ?? {}) as Headers,
    }
    callHandler(handler, request).then(
      (reply) => send(reply.value, reply.headers ?? {}),
      (error: unknown) => send('', { [ERROR_HEADER]: errorText(error) }),
    )
  }

  /** The broker deletes the queue of the last answerer by itself, but says so to nobody: this waits for it. */
  async #removeQueue(filter: string): Promise<void> {
    const connection = this.#link.current
    if (connection === undefined) return
    const channel = await connection.channel().catch(() => undefined)
    // Refused when others still answer.
    await channel?.deleteQueue(this.#names.answers(filter), { ifUnused: true }).catch(() => {})
    channel?.close().catch(() => {})
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const asked of [...this.#asked.values()]) asked.reject(new ClosedError('the bus'))
    await Promise.all([...this.#answering].map((end) => end()))
  }
}

async function callHandler(handler: (request: Request) => Promise<Reply>, request: Request): Promise<Reply> {
  return handler(request)
}

function contentOf(value: Uint8Array | string): Buffer {
  if (typeof value === 'string') return Buffer.from(value)
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}

function noResponder(subject: string): SkeinError {
  return new SkeinError('no-responder', `Cannot ask "${subject}": nobody answers it`, {
    retryable: true,
    details: { subject },
  })
}

function lostReply(subject: string): SkeinError {
  return new SkeinError('connection-lost', `Asked "${subject}", and the connection broke before the reply came`, {
    retryable: true,
    details: { subject },
  })
}

function timedOut(subject: string, timeoutMs: number): SkeinError {
  return new SkeinError('timeout', `Asked "${subject}" and had no reply within ${timeoutMs} ms`, {
    retryable: true,
    details: { subject, timeoutMs },
  })
}
