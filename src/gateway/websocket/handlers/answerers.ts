import type { Reply, Request } from '../../../bus/index.ts'
import { SkeinError } from '../../../core/index.ts'
import { type CallResult, type IncomingCall, Lane, Operation } from '../../../wire/index.ts'
import type { ConnectionContext } from '../connection-context.ts'
import { closeAnswererHead, openAnswererHead, parseHead, replyHead } from '../heads.ts'

/** The subjects that one client answers: requests are passed to it. */
export class Answerers {
  readonly #context: ConnectionContext
  readonly #stops = new Map<number, () => Promise<void>>()

  constructor(context: ConnectionContext) {
    this.#context = context
  }

  async open(call: IncomingCall): Promise<CallResult> {
    const { answerer, subject } = parseHead(openAnswererHead, call.head)
    const { bus, authorise, principal, readersMax } = this.#context
    authorise?.(principal, 'answer', subject)
    if (this.#stops.has(answerer)) return {}
    if (this.#stops.size >= readersMax) {
      throw new SkeinError('overloaded', `Cannot answer another subject: this client answers ${readersMax} already`)
    }
    const stop = await bus.requests.answer(subject, (request) => this.#pass(answerer, request))
    this.#stops.set(answerer, stop)
    if (!this.#context.session.isOpen) await this.closeAll()
    return {}
  }

  async close(call: IncomingCall): Promise<CallResult> {
    const { answerer } = parseHead(closeAnswererHead, call.head)
    const stop = this.#stops.get(answerer)
    this.#stops.delete(answerer)
    await stop?.()
    return {}
  }

  async closeAll(): Promise<void> {
    const stops = [...this.#stops.values()]
    this.#stops.clear()
    await Promise.all(stops.map((stop) => stop()))
  }

  async #pass(answerer: number, request: Request): Promise<Reply> {
    const { subject, value, headers } = request
    const text = typeof value === 'string'
    const answer = await this.#context.session.call(Operation.answer, {
      lane: Lane.urgent,
      head: { answerer, subject, headers, text },
      body: [typeof value === 'string' ? Buffer.from(value) : value],
    })
    const reply = parseHead(replyHead, answer.head)
    const { body } = answer
    const bytes = Buffer.from(body.buffer, body.byteOffset, body.length)
    return { value: reply.text ? bytes.toString('utf8') : bytes, headers: reply.headers }
  }
}
