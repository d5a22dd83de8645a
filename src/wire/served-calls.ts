import { SkeinError } from '../core/index.ts'
import { failureToHead } from './failure.ts'
import { FrameKind, malformed } from './frame.ts'
import { LANES, Lane } from './lane.ts'
import { type Head, type OutgoingMessage, outgoing, type WireMessage } from './message.ts'

export interface IncomingCall {
  readonly operation: number
  readonly lane: Lane
  readonly head: Head
  readonly body: Uint8Array
  /** Give it to the session's pool once nothing refers to the body any more. */
  readonly memory: Uint8Array | undefined
  /** Aborted when the caller no longer waits. */
  readonly signal: AbortSignal
}

interface ServedCallsOptions {
  readonly callsMax: number
  readonly pendingBytesMax: number
  readonly serve: (call: IncomingCall) => Promise<{
    readonly head?: Head | undefined
    readonly body?: readonly Uint8Array[] | undefined
  }>
  readonly reply: (message: OutgoingMessage) => void
  /** Calls back when a call of this lane may be served: after the frames that are here have been looked at. */
  readonly later: (lane: Lane, callback: () => void) => void
}

/** Heads of calls say what to do and where; what is long stands in a body. */
const HEAD_BYTES_MAX = 1024 * 1024

class Call implements IncomingCall {
  readonly operation: number
  readonly lane: Lane
  readonly head: Head
  readonly body: Uint8Array
  readonly memory: Uint8Array | undefined
  /** Head and body. */
  readonly byteLength: number
  #controller: AbortController | undefined
  #abortedWith: unknown

  constructor(message: WireMessage) {
    this.operation = message.operation
    this.lane = message.lane
    this.head = message.head
    this.body = message.body
    this.memory = message.memory
    this.byteLength = message.headBytes + message.body.length
  }

  // Most calls are short and never look at it: it is made when asked for.
  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#abortedWith !== undefined) this.#controller.abort(this.#abortedWith)
    return this.#controller.signal
  }

  abort(reason: unknown): void {
    this.#abortedWith = reason
    this.#controller?.abort(reason)
  }
}

interface Deferred {
  readonly channel: number
  readonly call: Call
}

/**
 * Calls of the peer in progress here, bounded in number and bytes. Urgent ones are served as they come; the others one
 * by one, with a look at the socket between them, so that an urgent frame does not wait until all of them are served.
 */
export class ServedCalls {
  readonly #options: ServedCallsOptions
  readonly #calls = new Map<number, Call>()
  #pendingBytes = 0
  readonly #deferred: readonly Deferred[][] = LANES.map(() => [])
  #isScheduled = false

  constructor(options: ServedCallsOptions) {
    this.#options = options
  }

  /** Throws what closes the connection: a number in use, or more bytes than the peer was told it may have pending. */
  accept(message: WireMessage): void {
    const { channel } = message
    if (this.#calls.has(channel)) throw malformed(`it calls under number ${channel}, which is in use`)
    if (this.#calls.size >= this.#options.callsMax) {
      this.#fail(channel, overloaded(`${this.#options.callsMax} calls of this connection are in progress`))
      return
    }
    if (message.headBytes > HEAD_BYTES_MAX) {
      this.#fail(channel, longHead(message.headBytes))
      return
    }
    const call = new Call(message)
    if (this.#pendingBytes + call.byteLength > this.#options.pendingBytesMax) {
      throw overloaded(`more than ${this.#options.pendingBytesMax} bytes of its calls are in progress`)
    }
    this.#calls.set(channel, call)
    this.#pendingBytes += call.byteLength
    if (call.lane === Lane.urgent) void this.#serve(channel, call)
    else this.#defer({ channel, call })
  }

  #defer(deferred: Deferred): void {
    this.#deferred[deferred.call.lane]!.push(deferred)
    if (!this.#isScheduled) this.#schedule()
  }

  #schedule(): void {
    const lane = this.#deferred.findIndex((calls) => calls.length > 0)
    this.#isScheduled = lane !== -1
    if (this.#isScheduled) this.#options.later(lane as Lane, () => this.#serveNext())
  }

  #serveNext(): void {
    const next = this.#deferred.find((calls) => calls.length > 0)?.shift()
    this.#schedule()
    if (next !== undefined) void this.#serve(next.channel, next.call)
  }

  cancel(channel: number): void {
    this.#calls.get(channel)?.abort(new SkeinError('aborted', 'The caller no longer waits'))
  }

  cancelAll(error: SkeinError): void {
    for (const call of this.#calls.values()) call.abort(error)
  }

  async #serve(channel: number, call: Call): Promise<void> {
    try {
      const { head, body } = await this.#options.serve(call)
      this.#options.reply(outgoing(FrameKind.reply, { lane: replyLane(body), channel, head, body }))
    } catch (error) {
      this.#fail(channel, error)
    } finally {
      this.#calls.delete(channel)
      this.#pendingBytes -= call.byteLength
    }
  }

  #fail(channel: number, error: unknown): void {
    this.#options.reply(outgoing(FrameKind.failure, { lane: Lane.urgent, channel, head: failureToHead(error) }))
  }
}

// Receipts and small answers overtake what is delivered; a large answer would hold up the urgent lane.
function replyLane(body: readonly Uint8Array[] | undefined): Lane {
  return body !== undefined && body.length > 0 ? Lane.normal : Lane.urgent
}

function longHead(bytes: number): SkeinError {
  const text = `Cannot take a call whose head has ${bytes} bytes, at most ${HEAD_BYTES_MAX}: headers and names are to be short`
  return new SkeinError('message-too-large', text, { details: { bytes, bytesMax: HEAD_BYTES_MAX } })
}

function overloaded(why: string): SkeinError {
  return new SkeinError('overloaded', `Cannot take another call: ${why}; wait for replies first`, { retryable: true })
}
