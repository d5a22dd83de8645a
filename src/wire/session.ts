import { BufferPool, type Clock, type ErrorCode, SkeinError, type Timer } from '../core/index.ts'
import { MessageAssembler } from './assembler.ts'
import { failureFromHead, failureToHead } from './failure.ts'
import { decodeFrame, FrameKind, malformed, readUint32, writeUint32 } from './frame.ts'
import { Lane } from './lane.ts'
import { type Head, type OutgoingMessage, outgoing, type WireMessage } from './message.ts'
import { OutgoingCalls } from './outgoing-calls.ts'
import { PartialMessages } from './partial-messages.ts'
import type { Precedence } from './precedence.ts'
import { SendQueue } from './send-queue.ts'
import { type IncomingCall, ServedCalls } from './served-calls.ts'
import { TRANSIT_BYTES_MIN, TransitLimit } from './transit-limit.ts'
import type { CloseReason, Transport } from './transport.ts'

export interface SessionLimits {
  /** Bytes of the peer's normal and bulk frames in transit at most: an urgent one waits behind them. Default 1 MiB. */
  readonly windowBytes: number
  /** Head and body of one message. Default 9 MiB. */
  readonly messageBytesMax: number
  /** Calls of the peer in progress at once. Default 4,096. */
  readonly callsMax: number
  /** Bytes of the peer's calls in progress, and bytes queued for it, before it is cut off. Default 16 MiB. */
  readonly pendingBytesMax: number
  /** After so long without a frame from the peer it is asked for one. Default 5,000. */
  readonly pingAfterMs: number
  /** After so long without a frame from the peer the connection counts as lost. Default 20,000. */
  readonly silenceMsMax: number
  /** A peer that takes nothing of what waits for it for so long is cut off. Default 30,000. */
  readonly stallMsMax: number
}

export const SESSION_LIMITS: SessionLimits = {
  windowBytes: 1024 * 1024,
  messageBytesMax: 9 * 1024 * 1024,
  callsMax: 4096,
  pendingBytesMax: 16 * 1024 * 1024,
  pingAfterMs: 5_000,
  silenceMsMax: 20_000,
  stallMsMax: 30_000,
}

export interface SessionHandlers {
  /** The first message of the peer: a client's hello, a node's welcome. A throw closes the connection with its reason. */
  onGreeting(session: Session, head: Head): void
  /** A call of the peer. Its bytes count until the promise settles; a throw is what the caller gets. */
  onCall(call: IncomingCall): Promise<CallResult>
  onCast(cast: WireMessage): void
  /** Once. Every call in progress has been rejected by then. */
  onClosed(error: SkeinError): void
}

export interface CallResult {
  readonly head?: Head | undefined
  readonly body?: readonly Uint8Array[] | undefined
}

export interface CallOptions {
  readonly lane: Lane
  readonly head?: Head | undefined
  readonly body?: readonly Uint8Array[] | undefined
  /** Rejects with its reason and tells the peer that nobody waits. */
  readonly signal?: AbortSignal | undefined
}

export interface CastOptions {
  readonly lane: Lane
  readonly channel?: number
  readonly head?: Head | undefined
  readonly body?: readonly Uint8Array[] | undefined
}

/** Nobody is known by then: who says nothing, or much, is sent away. */
const GREETING_BYTES_MAX = 16 * 1024
const GREETING_MS_MAX = 10_000

/** Bytes in the transport before it has to have sent some: one urgent frame waits behind no more than this here. */
const TRANSPORT_BYTES_MAX = 128 * 1024

/** A lane with less than this queued has room for more: what feeds it waits above. */
const LANE_ROOM_BYTES = 512 * 1024

/**
 * One connection, either side of it: messages in lanes over a transport, calls and their replies, and the bounds that
 * keep every queue short. It is pure: frames and time come in, frames go out.
 */
export class Session {
  readonly #transport: Transport
  readonly #clock: Clock
  readonly #limits: SessionLimits
  readonly #handlers: SessionHandlers
  readonly #assembler: MessageAssembler
  readonly #queue = new SendQueue()
  readonly #calls: OutgoingCalls
  readonly #served: ServedCalls
  #state: 'greeting' | 'open' | 'closing' | 'closed' = 'greeting'
  readonly #greetedBy: FrameKind
  #transit = new TransitLimit(SESSION_LIMITS.windowBytes)
  #peerMessageBytesMax = SESSION_LIMITS.messageBytesMax
  #inTransitBytes = 0
  #unreportedBytes = 0
  #isReporting = false
  readonly #createdAtMs: number
  #heardAtMs: number
  #progressAtMs: number
  #roundTripMs: number | undefined
  #room: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined
  #watch: Timer | undefined
  #closeError: SkeinError | undefined

  constructor(options: {
    readonly transport: Transport
    readonly clock: Clock
    readonly limits: SessionLimits
    /** `client` waits for a welcome, `node` for a hello. */
    readonly side: 'client' | 'node'
    readonly handlers: SessionHandlers
    /** Memory for messages of several frames, shared by sessions whose handlers give it back. Default: none is kept. */
    readonly pool?: BufferPool
    /** What has begun to come on all connections of the process. Default: unbounded, for those who trust the peer. */
    readonly partials?: PartialMessages
    /** Of the process: bulk calls wait while something urgent is under way. */
    readonly precedence: Precedence
  }) {
    this.#transport = options.transport
    this.#clock = options.clock
    this.#limits = options.limits
    this.#handlers = options.handlers
    this.#greetedBy = options.side === 'client' ? FrameKind.welcome : FrameKind.hello
    this.#assembler = new MessageAssembler(GREETING_BYTES_MAX, {
      pool: options.pool ?? new BufferPool(0),
      partials: options.partials ?? new PartialMessages(Number.POSITIVE_INFINITY),
      abandon: () =>
        this.#cutOff({
          code: 'overloaded',
          why: 'a message on it began and did not go on, and its memory is needed; send what is begun, or less at once',
        }),
    })
    this.#calls = new OutgoingCalls((channel) => this.#send(outgoing(FrameKind.cancel, { lane: Lane.urgent, channel })))
    this.#served = new ServedCalls({
      callsMax: options.limits.callsMax,
      pendingBytesMax: options.limits.pendingBytesMax,
      serve: (call) => this.#handlers.onCall(call),
      reply: (message) => this.#send(message),
      later: (lane, callback) => {
        if (lane === Lane.bulk) options.precedence.later(callback)
        else this.#clock.setImmediate(callback)
      },
    })
    this.#createdAtMs = this.#clock.monotonicMs()
    this.#heardAtMs = this.#createdAtMs
    this.#progressAtMs = this.#heardAtMs
    this.#transport.attach({
      onFrame: (frame) => this.#receive(frame),
      onSent: (frame) => this.#onSent(frame),
      onClosed: (error) => this.#finish(lost('the connection was closed', error)),
    })
    this.#scheduleWatch()
  }

  /** Says hello or welcome; after both have, calls and casts may flow. */
  greet(kind: 'hello' | 'welcome', head: Head): void {
    this.#send(outgoing(FrameKind[kind], { lane: Lane.urgent, head }))
  }

  /** Called from `onGreeting`: what the peer takes. */
  establish(peer: { readonly windowBytes: number; readonly messageBytesMax?: number }): void {
    this.#transit = new TransitLimit(peer.windowBytes)
    if (peer.messageBytesMax !== undefined) this.#peerMessageBytesMax = peer.messageBytesMax
    this.#assembler.messageBytesMax = this.#limits.messageBytesMax
    this.#state = 'open'
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  /** Of the newest ping, milliseconds; undefined before the first answer. */
  get roundTripMs(): number | undefined {
    return this.#roundTripMs
  }

  /** Bytes queued in this process for the peer. */
  get queuedBytes(): number {
    return this.#queue.byteLength + this.#transport.bufferedBytes
  }

  /**
   * One question, one answer. Rejects with the peer's error, with `connection-lost` (retryable, outcome not known) when
   * the connection ends first, with `message-too-large`.
   */
  call(operation: number, options: CallOptions): Promise<{ readonly head: Head; readonly body: Uint8Array }> {
    if (this.#state !== 'open') return Promise.reject(this.#closeError ?? lost('it is not open'))
    return this.#calls.open(options.signal, (channel) => {
      this.#send(outgoing(FrameKind.call, { operation, channel, ...options }))
    })
  }

  /** Says something that has no answer. Silently nothing once the connection has ended. */
  cast(operation: number, options: CastOptions): void {
    this.#send(outgoing(FrameKind.cast, { operation, ...options }))
  }

  /** Whether a lane is short enough for what feeds it to go on. */
  hasRoom(lane: Lane): boolean {
    return this.#state !== 'open' || this.#queue.queuedBytes(lane) < LANE_ROOM_BYTES
  }

  /** Resolves when some lane has got shorter, or the connection has ended: ask `hasRoom` again. */
  room(): Promise<void> {
    this.#room ??= Promise.withResolvers<void>()
    return this.#room.promise
  }

  /** Tells the peer why, sends what is queued, closes. Idempotent. */
  close(reason: CloseReason): void {
    if (this.#state === 'closed' || this.#state === 'closing') return
    this.#send(outgoing(FrameKind.goodbye, { lane: Lane.urgent, head: { ...reason } }))
    this.#state = 'closing'
    this.#flush()
    this.#finish(lost(`this side closed it: ${reason.message}`))
    this.#transport.close(reason)
  }

  #receive(bytes: Uint8Array): void {
    if (this.#state === 'closed' || this.#state === 'closing') return
    this.#heardAtMs = this.#clock.monotonicMs()
    try {
      const frame = decodeFrame(bytes)
      const message = this.#assembler.add(frame)
      this.#report(bytes.length)
      if (message !== undefined) this.#dispatch(message)
    } catch (error) {
      this.#refuse(error)
    }
  }

  #dispatch(message: WireMessage): void {
    if (message.kind === FrameKind.goodbye) this.#onGoodbye(message.head)
    else if (message.kind === FrameKind.seen) this.#onSeen(message.body)
    else if (this.#state === 'greeting') this.#onGreeting(message)
    else if (message.kind === FrameKind.call) this.#served.accept(message)
    else if (message.kind === FrameKind.cancel) this.#served.cancel(message.channel)
    else if (message.kind === FrameKind.reply) this.#calls.resolve(message.channel, message)
    else if (message.kind === FrameKind.failure) this.#calls.reject(message.channel, failureFromHead(message.head))
    else if (message.kind === FrameKind.cast) this.#handlers.onCast(message)
    else if (message.kind === FrameKind.ping) this.#answerPing(message.body)
    else if (message.kind === FrameKind.pong) this.#onPong(message.body)
    else throw malformed('it greets a second time')
  }

  #onGreeting(message: WireMessage): void {
    if (message.kind !== this.#greetedBy) throw malformed(`its kind ${message.kind} comes before a greeting`)
    this.#handlers.onGreeting(this, message.head)
  }

  #answerPing(body: Uint8Array): void {
    if (body.length !== 8) throw malformed(`its ping has ${body.length} bytes`)
    this.#send(outgoing(FrameKind.pong, { lane: Lane.urgent, body: [body] }))
  }

  #onSeen(body: Uint8Array): void {
    if (body.length !== 4) throw malformed(`its count of seen bytes has ${body.length} bytes`)
    const bytes = readUint32(body, 0)
    if (bytes > this.#inTransitBytes) throw malformed(`it has seen ${bytes} bytes, ${this.#inTransitBytes} were sent`)
    this.#inTransitBytes -= bytes
    this.#progressAtMs = this.#clock.monotonicMs()
    this.#transit.onSeen(bytes, this.#progressAtMs)
    this.#pump()
  }

  #onPong(body: Uint8Array): void {
    if (body.length !== 8) throw malformed(`its pong has ${body.length} bytes`)
    const sentAtMs = new DataView(body.buffer, body.byteOffset, 8).getFloat64(0)
    const elapsedMs = this.#clock.monotonicMs() - sentAtMs
    if (elapsedMs >= 0) this.#roundTripMs = elapsedMs
  }

  #onGoodbye(head: Head): void {
    const reason = failureFromHead(head)
    this.#finish(lost(`the peer closed it: ${reason.message}`, reason))
    this.#transport.close({ code: 'closed', message: 'goodbye' })
  }

  /** Says how much has come, once a turn and often enough for the least that a peer has in transit. */
  #report(frameBytes: number): void {
    this.#unreportedBytes += frameBytes
    if (this.#unreportedBytes < TRANSIT_BYTES_MIN / 2 || this.#isReporting) return
    this.#isReporting = true
    this.#clock.setImmediate(() => this.#reportNow())
  }

  #reportNow(): void {
    this.#isReporting = false
    const body = new Uint8Array(4)
    writeUint32(body, 0, this.#unreportedBytes)
    this.#unreportedBytes = 0
    this.#send(outgoing(FrameKind.seen, { lane: Lane.urgent, body: [body] }))
  }

  #send(message: OutgoingMessage): void {
    if (this.#state === 'closed' || this.#state === 'closing') return
    if (message.byteLength > this.#peerMessageBytesMax) {
      throw new SkeinError(
        'message-too-large',
        `Cannot send a message of ${message.byteLength} bytes: the peer takes ${this.#peerMessageBytesMax}; send less at once`,
        { details: { bytes: message.byteLength, bytesMax: this.#peerMessageBytesMax } },
      )
    }
    if (this.#queue.byteLength === 0) this.#progressAtMs = this.#clock.monotonicMs()
    this.#queue.push(message)
    this.#pump()
    if (this.#queue.byteLength > this.#limits.pendingBytesMax)
      this.#cutOff({ why: 'more waits for it than it may; read faster, or ask for less' })
  }

  #onSent(frame: Uint8Array | undefined): void {
    if (frame !== undefined) this.#queue.recycle(frame)
    this.#pump()
  }

  #pump(): void {
    if (this.#state === 'closed') return
    let sent = false
    this.#transport.cork()
    while (this.#transport.bufferedBytes < TRANSPORT_BYTES_MAX) {
      const isWindowFull = this.#inTransitBytes >= this.#transit.limitBytes
      const frame = this.#queue.next(isWindowFull)
      if (frame === undefined) break
      this.#inTransitBytes += frame.length
      this.#transport.send(frame)
      sent = true
      // Urgent frames go past a full window: they do not show that the peer takes anything.
      if (!isWindowFull) this.#progressAtMs = this.#clock.monotonicMs()
    }
    this.#transport.uncork()
    if (sent) this.#announceRoom()
  }

  /** Everything that is queued, whatever the peer has in transit: only before closing. */
  #flush(): void {
    for (let frame = this.#queue.next(false); frame !== undefined; frame = this.#queue.next(false)) {
      this.#transport.send(frame)
    }
  }

  #announceRoom(): void {
    const room = this.#room
    this.#room = undefined
    room?.resolve()
  }

  #refuse(error: unknown): void {
    const reason = failureToHead(error) as { readonly code: string; readonly message: string }
    this.#queue.clear()
    this.close({ code: reason.code, message: reason.message })
  }

  #cutOff({ code = 'slow-consumer', why }: { readonly code?: ErrorCode; readonly why: string }): void {
    this.#queue.clear()
    this.close({ code, message: `The connection is cut off: ${why}` })
    this.#transport.destroy()
  }

  #scheduleWatch(): void {
    this.#watch = this.#clock.setTimer(() => this.#check(), this.#limits.pingAfterMs / 2)
  }

  #check(): void {
    const nowMs = this.#clock.monotonicMs()
    const silentMs = nowMs - this.#heardAtMs
    const stalled = this.#queue.byteLength > 0 && nowMs - this.#progressAtMs >= this.#limits.stallMsMax
    if (this.#state === 'greeting' && nowMs - this.#createdAtMs >= GREETING_MS_MAX) {
      this.#finish(lost(`the peer has not greeted within ${GREETING_MS_MAX} ms`))
      this.#transport.destroy()
    } else if (silentMs >= this.#limits.silenceMsMax) {
      this.#finish(lost(`nothing was heard for ${Math.round(silentMs)} ms`))
      this.#transport.destroy()
    } else if (stalled) {
      this.#cutOff({ why: `it took nothing for ${this.#limits.stallMsMax} ms; read faster, or ask for less` })
    } else {
      if (silentMs >= this.#limits.pingAfterMs && this.#state === 'open') this.#ping(nowMs)
      this.#scheduleWatch()
    }
  }

  #ping(nowMs: number): void {
    const body = new Uint8Array(8)
    new DataView(body.buffer).setFloat64(0, nowMs)
    this.#send(outgoing(FrameKind.ping, { lane: Lane.urgent, body: [body] }))
  }

  #finish(error: SkeinError): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#closeError = error
    this.#watch?.cancel()
    this.#queue.clear()
    this.#assembler.close()
    this.#calls.rejectAll(error)
    this.#served.cancelAll(error)
    this.#announceRoom()
    this.#handlers.onClosed(error)
  }
}

function lost(why: string, cause?: unknown): SkeinError {
  return new SkeinError('connection-lost', `The connection has ended: ${why}`, { retryable: true, cause })
}
