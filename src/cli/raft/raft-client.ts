import { type ErrorCode, SkeinError } from '../../core/index.ts'
import type { ClientOptions } from '../client.ts'
import type { CommandContext } from '../context.ts'
import { nodeUrl } from '../node-url.ts'

export interface RaftOptions extends ClientOptions {
  readonly log?: string
}

/** A member as a node tells it. */
export interface MemberTold {
  readonly id: string
  readonly address: string
  readonly kind: 'voter' | 'learner'
  readonly url?: string
}

/** A replicated log as a node tells it. */
export interface LogTold {
  readonly name: string
  readonly state: string
  readonly id: string
  readonly term: number
  readonly leader?: MemberTold
  readonly firstIndex: number
  readonly committedIndex: number
  readonly retainedBytes: number
  readonly snapshot?: { readonly index: number; readonly bytes: number }
  readonly members: readonly MemberTold[]
  readonly failure?: { readonly code: string; readonly message: string }
  readonly connections: {
    readonly peers: ReadonlyArray<{
      readonly id: number
      readonly state?: string
      readonly error?: { readonly message: string }
    }>
  }
}

const RETRY_MS = 200

/** Asks nodes about their replicated logs, over HTTP. What only the leader does is asked of the leader, where a node knows it. */
export class RaftClient {
  readonly #options: RaftOptions
  readonly #context: CommandContext
  #url: string
  #name: Promise<string> | undefined

  constructor(options: RaftOptions, context: CommandContext) {
    this.#options = options
    this.#context = context
    this.#url = httpUrl(options.url)
  }

  async logs(): Promise<readonly LogTold[]> {
    return (await this.ask<{ readonly logs: readonly LogTold[] }>('/v1/logs')).logs
  }

  /** The log that is meant: `--log`, or the only one there is. */
  name(): Promise<string> {
    this.#name ??= this.#findName()
    return this.#name
  }

  async #findName(): Promise<string> {
    const { log } = this.#options
    if (log !== undefined) return log
    const names = (await this.logs()).map(({ name }) => name)
    if (names.length === 1) return names[0]!
    const message =
      names.length === 0
        ? `Cannot find a replicated log: the node at ${this.#url} is no member of one; name it under "raft" in its configuration`
        : `Cannot tell which replicated log is meant: there are ${names.join(', ')}; give --log`
    throw new SkeinError(names.length === 0 ? 'not-found' : 'bad-argument', message, { details: { logs: names } })
  }

  async log(): Promise<LogTold> {
    return this.ask<LogTold>(`/v1/logs/${encodeURIComponent(await this.name())}`)
  }

  /** A request below the log that is meant; tried again while nobody leads, since nothing has happened then. */
  async at<Answer>(path: string, request: Omit<RequestInit, 'signal'> = {}): Promise<Answer> {
    const { clock, signal } = this.#context
    const asked = this.#url
    const untilMs = clock.monotonicMs() + this.#options.connectTimeout
    const whole = `/v1/logs/${encodeURIComponent(await this.name())}${path}`
    for (;;) {
      try {
        return await this.ask<Answer>(whole, request)
      } catch (error) {
        const next = clock.monotonicMs() < untilMs ? this.#whereNext(error, asked) : undefined
        if (next === undefined) throw error
        this.#url = next
        await clock.sleep(RETRY_MS, { signal })
      }
    }
  }

  /** Whom to ask again; undefined where that does not help, or where it may have happened already. */
  #whereNext(error: unknown, asked: string): string | undefined {
    if (!(error instanceof SkeinError)) return undefined
    const { code, details } = error
    // The leader that a member still believes in is gone: soon it follows another.
    if (code === 'connection-lost') return details.refused === true && this.#url !== asked ? asked : undefined
    if (code !== 'not-leader') return undefined
    if (typeof details.url === 'string') return httpUrl(details.url)
    // Whoever leads where this node cannot tell has to be asked by hand.
    return (details.leader ?? 0) === 0 ? asked : undefined
  }

  /** Rejects with what the node refused with, or `connection-lost`. */
  async ask<Answer>(path: string, request: Omit<RequestInit, 'signal'> = {}): Promise<Answer> {
    const { signal } = this.#context
    let response: Response
    try {
      const headers = request.body === undefined ? {} : { 'content-type': 'application/json' }
      response = await fetch(`${this.#url}${path}`, { ...request, headers, signal })
    } catch (error) {
      signal.throwIfAborted()
      throw this.#unreached(error as Error, request.method !== undefined)
    }
    const answer: unknown = await response.json()
    if (response.ok) return answer as Answer
    const { code, detail, retryable, facts } = answer as {
      readonly code: ErrorCode
      readonly detail: string
      readonly retryable: boolean
      readonly facts?: Readonly<Record<string, unknown>>
    }
    throw new SkeinError(code, detail, { retryable, details: facts ?? {} })
  }

  #unreached(error: Error, isChange: boolean): SkeinError {
    const refused = isRefused(error)
    const reason = (error.cause as Error | undefined)?.message || error.message
    if (isChange && !refused) {
      const message = `Cannot say whether it is done: the connection to ${this.#url} broke (${reason}); look with "skein raft status" and "skein raft read"`
      return new SkeinError('outcome-unknown', message, { cause: error })
    }
    const message = `Cannot reach the node at ${this.#url}: ${refused ? 'nothing listens there' : reason}; is it running?`
    return new SkeinError('connection-lost', message, { cause: error, retryable: true, details: { refused } })
  }
}

/** A connection that was never made did nothing; one that broke may have. */
function isRefused({ cause }: Error): boolean {
  return (cause as NodeJS.ErrnoException | undefined)?.code === 'ECONNREFUSED'
}

function httpUrl(url: string): string {
  return nodeUrl(url).replace(/^skein:/, 'http:')
}
