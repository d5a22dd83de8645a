import type { Bus, Headers, Reply, Request } from '../../bus/index.ts'
import { type Clock, errorText, type KeysOf, type Random, SkeinError, uuidV7 } from '../../core/index.ts'
import type { Admission, AgentIdentity } from '../ports.ts'
import { Address, type SubjectFields } from '../publish/address.ts'
import { envelopeOf } from '../publish/envelope.ts'
import type { QueryChannel } from '../query.ts'

const DEADLINE_HEADER = 'skeindeadline'
const ERROR_HEADER = 'skeinerror'

export interface AskOptions {
  readonly fields?: SubjectFields
  /** Default: the channel's. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
  readonly traceparent?: string
}

export const ASK_KEYS: KeysOf<AskOptions> = { fields: true, timeoutMs: true, signal: true, traceparent: true }

export interface Question<T> {
  readonly value: T
  readonly subject: string
  readonly headers: Headers
  /** The values of the pattern's fields in its subject. */
  readonly fields: Readonly<Record<string, string>>
}

export type Answerer<T, R> = (question: Question<T>, context: { readonly signal: AbortSignal }) => R | Promise<R>

export interface QueriesOptions {
  readonly bus: Bus
  readonly clock: Clock
  readonly random: Random
  readonly source: string
  readonly principal: string | undefined
  readonly admission: Admission | undefined
}

/** Questions and answers: at most once, with a deadline at both ends. */
export class Queries {
  readonly #options: QueriesOptions

  constructor(options: QueriesOptions) {
    this.#options = options
  }

  /** Rejects with `no-responder`, `timeout`, `schema-mismatch`, or `handler-failed` with the answerer's own code in `details.code`. */
  async ask<T, R>(
    channel: QueryChannel<T, R>,
    value: T,
    options: AskOptions & { readonly identity: AgentIdentity | undefined },
  ): Promise<R> {
    const { bus, clock, random, source } = this.#options
    const encoded = channel.value.encode(value)
    const address = new Address(channel, undefined)
    address.resolve(value, options.fields)
    await this.#admit(channel.topic, { identity: options.identity, bytes: encoded.length })
    const timeoutMs = options.timeoutMs ?? channel.timeoutMs
    const headers = {
      ...envelopeOf(channel, { source: options.identity?.id ?? source, isTopicShared: true }),
      id: uuidV7(clock, random),
      [DEADLINE_HEADER]: String(timeoutMs),
      ...(options.traceparent === undefined ? {} : { traceparent: options.traceparent }),
    }
    const request = { subject: address.subject, value: encoded, headers }
    const reply = await bus.requests.ask(request, waiting(timeoutMs, options.signal))
    return decodeReply(channel, reply)
  }

  /** Resolves to the way to stop. Fields that stand in the pattern are filled from the identity or from `fields`. */
  answer<T, R>(
    channel: QueryChannel<T, R>,
    answerer: Answerer<T, R>,
    options: { readonly identity: AgentIdentity | undefined; readonly fields?: SubjectFields | undefined },
  ): Promise<() => Promise<void>> {
    const address = new Address(channel, options.identity)
    address.resolve(undefined, options.fields)
    return this.#options.bus.requests.answer(address.subject, (request) => this.#reply(channel, answerer, request))
  }

  async #reply<T, R>(channel: QueryChannel<T, R>, answerer: Answerer<T, R>, request: Request): Promise<Reply> {
    const abort = new AbortController()
    const { clock } = this.#options
    const timer = clock.setTimer(() => abort.abort(timedOut(channel)), timeLeftMs(channel, request))
    try {
      const question = questionOf(channel, request)
      const value = await Promise.race([answerer(question, { signal: abort.signal }), rejectOnAbort(abort.signal)])
      return { value: channel.reply.encode(value), headers: { datacontenttype: channel.reply.contentType } }
    } catch (error) {
      return failureOf(error)
    } finally {
      timer.cancel()
    }
  }

  async #admit(
    topic: string,
    cost: { readonly identity: AgentIdentity | undefined; readonly bytes: number },
  ): Promise<void> {
    const { admission, principal } = this.#options
    await admission?.admit({ principal, agent: cost.identity?.id, topic, messages: 1, bytes: cost.bytes })
  }
}

function waiting(timeoutMs: number, signal: AbortSignal | undefined) {
  return signal === undefined ? { timeoutMs } : { timeoutMs, signal }
}

function questionOf<T, R>(channel: QueryChannel<T, R>, request: Request): Question<T> {
  const bytes = typeof request.value === 'string' ? Buffer.from(request.value) : request.value
  return {
    value: channel.value.decode(bytes),
    subject: request.subject,
    headers: request.headers ?? {},
    fields: channel.subject.parse(request.subject) ?? {},
  }
}

/** An answer past the asker's deadline is of no use: the answerer's signal aborts then. */
function timeLeftMs<T, R>(channel: QueryChannel<T, R>, request: Request): number {
  const asked = Number(request.headers?.[DEADLINE_HEADER])
  return Number.isFinite(asked) && asked > 0 ? asked : channel.timeoutMs
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

function timedOut<T, R>(channel: QueryChannel<T, R>): SkeinError {
  return new SkeinError('timeout', `Cannot answer on "${channel.subject.pattern}": the asker's deadline has passed`)
}

function failureOf(error: unknown): Reply {
  const code = error instanceof SkeinError ? error.code : 'handler-failed'
  return { value: errorText(error), headers: { [ERROR_HEADER]: code } }
}

function decodeReply<T, R>(channel: QueryChannel<T, R>, reply: Reply): R {
  const bytes = typeof reply.value === 'string' ? Buffer.from(reply.value) : reply.value
  const failed = reply.headers?.[ERROR_HEADER]
  if (failed === undefined) return channel.reply.decode(bytes)
  const why = Buffer.from(bytes).toString('utf8')
  if (failed === 'timeout') throw new SkeinError('timeout', why)
  throw new SkeinError('handler-failed', `Cannot answer "${channel.subject.pattern}": ${why}`, {
    details: { code: failed },
  })
}
