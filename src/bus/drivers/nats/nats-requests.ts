import type { Msg } from '@nats-io/transport-node'
import { checkFilter, checkSubject, errorText, SkeinError } from '../../../core/index.ts'
import type { Reply, Request, Requests } from '../../index.ts'
import type { Connection } from './connection.ts'
import { decodeHeaders, EncodedHeaders, headerLines } from './message-codec.ts'

/** Those who answer one subject share it as a queue group. */
const QUEUE = 'skein'
const ERROR = 'skeinerror'

/** Request and reply on core NATS, which knows at once when nobody answers. */
export class NatsRequests implements Requests {
  readonly #connection: Connection

  constructor(connection: Connection) {
    this.#connection = connection
  }

  async ask(request: Request, options: { readonly timeoutMs: number; readonly signal?: AbortSignal }): Promise<Reply> {
    const { subject } = request
    const { timeoutMs, signal } = options
    signal?.throwIfAborted()
    checkSubject(subject)
    const stop = Promise.withResolvers<never>()
    stop.promise.catch(() => {})
    const onAbort = () => stop.reject(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      const headers = encode(request)
      const asked = this.#connection.request(subject, bytesOf(request.value), {
        timeoutMs,
        ...(headers && { headers }),
      })
      asked.catch(() => {})
      return replyOf(await Promise.race([asked, stop.promise]), subject)
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  async answer(subject: string, handler: (request: Request) => Promise<Reply>): Promise<() => Promise<void>> {
    checkFilter(subject)
    const subscription = this.#connection.subscribe(subject, (message) => void this.#answer(message, handler), {
      queue: QUEUE,
    })
    await this.#connection.flush()
    return async () => {
      if (this.#connection.isClosed) return
      subscription.unsubscribe()
      if (this.#connection.isConnected) await this.#connection.flush()
    }
  }

  async #answer(message: Msg, handler: (request: Request) => Promise<Reply>): Promise<void> {
    const { reply, subject, data } = message
    if (reply === undefined || reply === '') return
    const { headers } = decodeHeaders(message.headers)
    const answer = await call(handler, { subject, value: data, headers })
    // Whoever asked may wait in vain: that is what its deadline is for.
    if (!this.#connection.isConnected) return
    this.#send(reply, this.#fits(answer) ? answer : failure(this.#tooLarge(subject, answer)))
  }

  #send(reply: string, answer: Reply): void {
    const encoded = encode(answer)
    this.#connection.publish(reply, bytesOf(answer.value), encoded === undefined ? {} : { headers: encoded })
  }

  #fits(answer: Reply): boolean {
    return sizeOf(answer) <= this.#connection.payloadBytesMax
  }

  #tooLarge(subject: string, answer: Reply): SkeinError {
    const { payloadBytesMax } = this.#connection
    const bytes = sizeOf(answer)
    const message =
      `Cannot answer "${subject}" with ${bytes} bytes: the server takes at most ${payloadBytesMax} (max_payload); raise ` +
      'that, or answer with less'
    return new SkeinError('message-too-large', message, { details: { subject, bytes, payloadBytesMax } })
  }
}

/** Never rejects: what the handler throws, at once or later, is the answer. */
async function call(handler: (request: Request) => Promise<Reply>, request: Request): Promise<Reply> {
  try {
    return await handler(request)
  } catch (error) {
    return failure(error)
  }
}

function sizeOf(answer: Reply): number {
  return Buffer.byteLength(answer.value) + (encode(answer)?.byteLength ?? 0)
}

function bytesOf(value: Uint8Array | string): Uint8Array {
  return typeof value === 'string' ? Buffer.from(value) : value
}

function encode({ headers }: { readonly headers?: Request['headers'] }): EncodedHeaders | undefined {
  return headers === undefined ? undefined : new EncodedHeaders(`NATS/1.0\r\n${headerLines(headers)}\r\n`)
}

function failure(error: unknown): Reply {
  return { value: '', headers: { [ERROR]: errorText(error) } }
}

function replyOf(message: Msg, subject: string): Reply {
  const { headers } = decodeHeaders(message.headers)
  const error = headers[ERROR]
  if (error !== undefined) {
    throw new SkeinError('handler-failed', `Asked "${subject}", and who answers it failed: ${error}`, {
      details: { subject },
    })
  }
  return { value: message.data, headers }
}
