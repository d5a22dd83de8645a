import { type Clock, ClosedError, SkeinError } from '../../../core/index.ts'
import { type Head, type IncomingCall, Lane, Operation, type Session } from '../../../wire/index.ts'
import type { Reply, Request, Requests } from '../../index.ts'
import { isLost, type Link, type Resumable } from './link.ts'

interface Answerer {
  readonly id: number
  readonly subject: string
  readonly handler: (request: Request) => Promise<Reply>
}

/** Request and reply through a node, in the urgent lane both ways. */
export class RemoteRequests implements Requests, Resumable {
  readonly #link: Link
  readonly #clock: Clock
  readonly #answerers = new Map<number, Answerer>()
  #nextId = 1

  constructor(link: Link, clock: Clock) {
    this.#link = link
    this.#clock = clock
    link.add(this)
  }

  async ask(request: Request, options: { readonly timeoutMs: number; readonly signal?: AbortSignal }): Promise<Reply> {
    const { timeoutMs, signal } = options
    signal?.throwIfAborted()
    const limit = new AbortController()
    const onAbort = () => limit.abort(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    const startedAtMs = this.#clock.monotonicMs()
    const timer = this.#clock.setTimer(() => limit.abort(timedOut(request.subject, timeoutMs)), timeoutMs, {
      keepAlive: true,
    })
    try {
      const session = await this.#link.connected(limit.signal)
      const leftMs = timeoutMs - (this.#clock.monotonicMs() - startedAtMs)
      const { subject } = request
      const head = { subject, timeoutMs: leftMs, ...describe(request) }
      const body = [bytesOf(request.value)]
      return replyFrom(await session.call(Operation.ask, { lane: Lane.urgent, head, body, signal: limit.signal }))
    } catch (error) {
      if (this.#link.isClosed && isLost(error)) throw new ClosedError('the connection to the node')
      throw error
    } finally {
      timer.cancel()
      signal?.removeEventListener('abort', onAbort)
    }
  }

  async answer(subject: string, handler: (request: Request) => Promise<Reply>): Promise<() => Promise<void>> {
    const id = this.#nextId
    this.#nextId += 1
    this.#answerers.set(id, { id, subject, handler })
    const session = await this.#link.connected()
    try {
      await session.call(Operation.openAnswerer, { lane: Lane.urgent, head: { answerer: id, subject } })
    } catch (error) {
      // A connection that broke meanwhile is followed by one that opens it again.
      if (!isLost(error) || this.#link.isClosed) {
        this.#answerers.delete(id)
        throw error
      }
    }
    return () => this.#stop(id)
  }

  onConnected(session: Session): void {
    for (const { id, subject } of this.#answerers.values()) {
      const call = session.call(Operation.openAnswerer, { lane: Lane.urgent, head: { answerer: id, subject } })
      // A refusal here has nobody to tell: asking the subject says `no-responder`.
      call.catch(() => {})
    }
  }

  onBroken(): void {}

  onEnded(): void {
    this.#answerers.clear()
  }

  /** A request that the node passes on. */
  async onAnswerCall(call: IncomingCall): Promise<{ readonly head: Head; readonly body: readonly Uint8Array[] }> {
    const answerer = this.#answerers.get(call.head.answerer as number)
    if (answerer === undefined) throw new SkeinError('no-responder', 'Nobody answers this subject here any more')
    const { value, headers } = replyFrom(call)
    const reply = await answerer.handler({ subject: call.head.subject as string, value, headers })
    return { head: describe(reply), body: [bytesOf(reply.value)] }
  }

  async #stop(id: number): Promise<void> {
    if (!this.#answerers.delete(id)) return
    const { session } = this.#link
    if (session === undefined) return
    try {
      await session.call(Operation.closeAnswerer, { lane: Lane.urgent, head: { answerer: id } })
    } catch (error) {
      if (!isLost(error)) throw error
    }
  }
}

function describe(message: { readonly value: Uint8Array | string; readonly headers?: Reply['headers'] }): Head {
  return { headers: message.headers, text: typeof message.value === 'string' }
}

function bytesOf(value: Uint8Array | string): Uint8Array {
  return typeof value === 'string' ? Buffer.from(value) : value
}

function replyFrom(message: { readonly head: Head; readonly body: Uint8Array }): Reply {
  const { head, body } = message
  const value = head.text === true ? Buffer.from(body.buffer, body.byteOffset, body.length).toString('utf8') : body
  return { value, headers: head.headers as Reply['headers'] }
}

function timedOut(subject: string, timeoutMs: number): SkeinError {
  return new SkeinError('timeout', `Nobody answered "${subject}" within ${timeoutMs} ms; ask again, or allow longer`, {
    retryable: true,
    details: { subject, timeoutMs },
  })
}
