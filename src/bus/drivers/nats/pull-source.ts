import type { Msg, Subscription } from '@nats-io/transport-node'
import { SkeinError, type Timer } from '../../../core/index.ts'
import type { Connection } from './connection.ts'
import { type StoredMessage, storedMessage } from './stored-message.ts'
import type { StreamInfo } from './stream-config.ts'

const PULL_MESSAGES = 1_000
const PULL_EXPIRES_MS = 30_000
const HEARTBEAT_MS = 1_000
/** Heartbeats missed before the consumer counts as lost. */
const SILENCE_MS = 3_500
const CONSUMER_IDLE_MS = 60_000
const NANOSECONDS = 1_000_000
const BEGIN_AGAIN_MS = 200
/** Headers of one message. */
const HEADERS_BYTES = 64 * 1024

export interface PullSourceOptions {
  readonly stream: string
  /** Subjects in the stream; undefined for all. */
  readonly filters: readonly string[] | undefined
  readonly bufferBytesMax: number
  readonly messageBytesMax: number
  /** What is missing at the beginning was taken by retention, and is told. */
  readonly tellsGaps: boolean
  readonly onChange: () => void
}

interface Pull {
  readonly id: number
  left: number
  bytes: number
}

interface ConsumerInfo {
  readonly name: string
  readonly num_pending: number
  readonly delivered: { readonly consumer_seq: number }
}

/**
 * One partition from a sequence on, in order and without gaps: an unacknowledged consumer that is made anew behind the last
 * message whenever a connection broke, a heartbeat was missed or a message is lacking. Fetches ahead within a bound of bytes.
 */
export class PullSource {
  readonly #connection: Connection
  readonly #options: PullSourceOptions
  readonly #inbox: string
  readonly #subscription: Subscription
  readonly #forget: () => void
  #buffer: StoredMessage[] = []
  #head = 0
  #bufferedBytes = 0
  /** The next sequence that is wanted from the server. */
  #next = 1
  #consumer: string | undefined
  #consumerSequence = 0
  #pulls: Pull[] = []
  #pullCount = 0
  /** Rises when everything begins again: what comes of before is dropped. */
  #version = 0
  #silence: Timer | undefined
  #isHeard = false
  #retry: Timer | undefined
  #closed = false
  #pending: number | undefined
  /** The gap found when it began; told once. */
  #problem: SkeinError | undefined

  constructor(connection: Connection, options: PullSourceOptions) {
    this.#connection = connection
    this.#options = options
    this.#inbox = connection.newInbox()
    this.#subscription = connection.subscribe(`${this.#inbox}.>`, (message) => this.#onMessage(message))
    this.#forget = connection.listen({
      onDisconnect: () => this.#lose(),
      onReconnect: () => void this.#begin(),
      onClosed: (error) => this.#fail(error),
    })
  }

  /** Of the oldest message that was fetched and not taken. */
  get front(): StoredMessage | undefined {
    return this.#buffer[this.#head]
  }

  /** The server has a consumer for it, or said why not. */
  get isReady(): boolean {
    return this.#consumer !== undefined || this.#problem !== undefined
  }

  /** How many are on the server still; undefined while that is not known. */
  get pending(): number | undefined {
    return this.#pending
  }

  /** Nothing more is on the server, as far as it has said. */
  get isAtTail(): boolean {
    return this.front === undefined && this.#pending === 0
  }

  /** Asks the server: what it has sent and did not arrive yet is left, what was deleted meanwhile is not. */
  async askAtTail(): Promise<boolean> {
    const consumer = this.#consumer
    if (this.front !== undefined || consumer === undefined) return false
    const info = await this.#connection.api<ConsumerInfo>(`CONSUMER.INFO.${this.#options.stream}.${consumer}`)
    const isAllHere = consumer === this.#consumer && info.delivered.consumer_seq === this.#consumerSequence
    return isAllHere && info.num_pending === 0 && this.front === undefined
  }

  /** A gap is told once; what ended the source, always. */
  takeProblem(): SkeinError | undefined {
    const problem = this.#problem
    if (problem?.code === 'position-gone') this.#problem = undefined
    return problem
  }

  /** Drops what was fetched and begins at a sequence of the stream. Resolves when the server has the consumer. */
  startAt(sequence: number): Promise<void> {
    this.#next = sequence
    this.#buffer = []
    this.#head = 0
    this.#bufferedBytes = 0
    this.#problem = undefined
    return this.#begin()
  }

  shift(): StoredMessage {
    const stored = this.#buffer[this.#head]!
    this.#head += 1
    this.#bufferedBytes -= stored.byteLength
    if (this.#head === this.#buffer.length || this.#head > 1_024) {
      this.#buffer = this.#buffer.slice(this.#head)
      this.#head = 0
    }
    this.#pullMore()
    return stored
  }

  #lose(): void {
    this.#version += 1
    this.#consumer = undefined
    this.#pulls = []
    this.#pending = undefined
    this.#silence?.cancel()
    this.#retry?.cancel()
  }

  /** The consumer of before, where there is one, ends by itself. */
  async #begin(): Promise<void> {
    this.#lose()
    if (this.#closed) return
    const version = this.#version
    try {
      await this.#checkStart()
      const info = await this.#createConsumer()
      if (version !== this.#version || this.#closed) return
      this.#consumer = info.name
      this.#consumerSequence = 0
      this.#pending = info.num_pending
      this.#listen()
      this.#pullMore()
      this.#options.onChange()
    } catch (error) {
      if (version !== this.#version || this.#closed) return
      if (error instanceof SkeinError && !error.retryable && error.code !== 'timeout') return this.#fail(error)
      this.#beginSoon()
    }
  }

  #beginSoon(): void {
    this.#retry = this.#connection.clock.setTimer(() => void this.#begin(), BEGIN_AGAIN_MS)
  }

  /** Retention may have taken what was to come next. */
  async #checkStart(): Promise<void> {
    if (!this.#options.tellsGaps) return
    const { state } = await this.#connection.api<StreamInfo>(`STREAM.INFO.${this.#options.stream}`)
    if (state.first_seq <= this.#next || state.last_seq < this.#next) return
    this.#problem = new SkeinError(
      'position-gone',
      `Cannot read ${this.#options.stream} from ${this.#next - 1}: retention has removed it, the first is ${state.first_seq - 1}`,
      { details: { startOffset: state.first_seq - 1 } },
    )
    this.#next = state.first_seq
    this.#options.onChange()
  }

  #createConsumer(): Promise<ConsumerInfo> {
    const { stream, filters } = this.#options
    const name = `skein-${this.#connection.newId()}`
    const config = {
      name,
      ack_policy: 'none',
      deliver_policy: 'by_start_sequence',
      opt_start_seq: Math.max(1, this.#next),
      replay_policy: 'instant',
      inactive_threshold: CONSUMER_IDLE_MS * NANOSECONDS,
      mem_storage: true,
      num_replicas: 1,
      ...(filters !== undefined && { filter_subjects: filters }),
    }
    return this.#connection.api<ConsumerInfo>(`CONSUMER.CREATE.${stream}.${name}`, { stream_name: stream, config })
  }

  /** Two pulls at most, each with a reserved part of the buffer. */
  #pullMore(): void {
    if (this.#consumer === undefined || this.#pulls.length >= 2 || this.#closed) return
    const { bufferBytesMax, messageBytesMax, stream } = this.#options
    const least = messageBytesMax + HEADERS_BYTES
    const share = Math.max(least, Math.floor(bufferBytesMax / 2))
    const reserved = this.#pulls.reduce((sum, { bytes }) => sum + Math.max(0, bytes), 0)
    const isFirst = this.#pulls.length === 0 && this.#bufferedBytes === 0
    if (!isFirst && this.#bufferedBytes + reserved + share > Math.max(bufferBytesMax, share)) return
    this.#pullCount += 1
    const pull: Pull = { id: this.#pullCount, left: PULL_MESSAGES, bytes: share }
    this.#pulls.push(pull)
    const request = {
      batch: PULL_MESSAGES,
      max_bytes: share,
      expires: PULL_EXPIRES_MS * NANOSECONDS,
      idle_heartbeat: HEARTBEAT_MS * NANOSECONDS,
    }
    const subject = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${this.#consumer}`
    const reply = `${this.#inbox}.${this.#version}.${pull.id}`
    this.#connection.publish(subject, Buffer.from(JSON.stringify(request)), { reply })
  }

  /** While a pull is open the server says something every second; a timer per message would cost more than the message. */
  #listen(): void {
    this.#isHeard = false
    this.#silence = this.#connection.clock.setTimer(() => {
      if (!this.#isHeard && this.#pulls.length > 0) void this.#begin()
      else this.#listen()
    }, SILENCE_MS)
  }

  #onMessage(message: Msg): void {
    const stored = storedMessage(message)
    if (stored !== undefined) {
      this.#onStored(stored)
      return
    }
    const [version, id] = message.subject.slice(this.#inbox.length + 1).split('.')
    if (Number(version) === this.#version) this.#onStatus(message, Number(id))
  }

  #onStored(stored: StoredMessage): void {
    if (stored.message.reply!.indexOf(`.${this.#consumer}.`) === -1) return
    if (stored.consumerSequence !== this.#consumerSequence + 1) {
      void this.#begin()
      return
    }
    this.#consumerSequence = stored.consumerSequence
    this.#next = stored.sequence + 1
    this.#pending = stored.pending
    this.#buffer.push(stored)
    this.#bufferedBytes += stored.byteLength
    const [pull] = this.#pulls
    if (pull !== undefined) {
      pull.left -= 1
      pull.bytes -= stored.byteLength
      if (pull.left === 0) this.#endPull(pull.id)
    }
    this.#isHeard = true
    this.#options.onChange()
  }

  #onStatus(message: Msg, id: number): void {
    const code = message.headers?.code ?? 0
    const description = message.headers?.description.toLowerCase() ?? ''
    this.#isHeard = true
    if (code === 100) return
    // 404 and 408: it ran out; 409: its bytes are used up, or the consumer is gone.
    if (code === 404 || code === 408 || (code === 409 && /maxbytes|batch completed|maxwaiting/.test(description))) {
      this.#endPull(id)
      return
    }
    this.#lose()
    this.#beginSoon()
  }

  #endPull(id: number): void {
    this.#pulls = this.#pulls.filter((pull) => pull.id !== id)
    this.#pullMore()
  }

  #fail(error: SkeinError): void {
    this.#lose()
    this.#problem = error
    this.#options.onChange()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    const consumer = this.#consumer
    this.#lose()
    this.#forget()
    if (!this.#connection.isConnected) return
    this.#subscription.unsubscribe()
    // A courtesy: the server drops an idle consumer by itself.
    if (consumer !== undefined) {
      this.#connection.publish(`$JS.API.CONSUMER.DELETE.${this.#options.stream}.${consumer}`, EMPTY)
    }
  }
}

const EMPTY = new Uint8Array(0)
