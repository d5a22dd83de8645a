import type { Channel, ConsumeMessage } from 'amqplib'
import { type Clock, type Random, SkeinError } from '../../../core/index.ts'
import { originOf, streamOffsetOf } from './amqp-delivery.ts'
import { amqpError } from './amqp-error.ts'
import type { Connection } from './connection.ts'
import type { FeedStart } from './feed-start.ts'
import type { Link } from './link.ts'
import { Repeats } from './repeats.ts'
import type { GroupFeed } from './share-source.ts'
import { offsetArgument, type StreamStart, streamEnds, TIME_MARGIN_MS } from './stream-reading.ts'

const CREDITS_MAX = 2_000
const CREDITS_MIN = 8
const TRY_AGAIN_MS = 250
const COMPACT_ABOVE = 1_024

export interface StreamFeedParts {
  readonly link: Link
  readonly stream: string
  readonly topic: string
  readonly partition: number
  readonly clock: Clock
  readonly random: Random
  readonly bufferBytesMax: number
  /** Something came, or the feed failed. */
  readonly onChange: () => void
}

interface Attachment {
  readonly channel: Channel
  /** Over: nothing that comes on it counts any more. */
  isOver: boolean
  readonly end: () => void
}

/**
 * Reads one stream ahead into a bounded buffer. A stream can be read again, so that nothing has to be kept: what does not fit
 * is dropped and asked for again when there is room, and after a lost connection it goes on behind the last message it had.
 */
export class StreamFeed implements GroupFeed {
  readonly partition: number
  readonly #parts: StreamFeedParts
  readonly #repeats = new Repeats()
  readonly #stop = new AbortController()
  readonly #started = Promise.withResolvers<void>()
  /** The next offset to ask for; undefined as long as the start is not one. */
  #next: number | undefined
  #start: FeedStart
  /** Messages sent before it are passed over, up to the first that was not. */
  #notBeforeMs: number | undefined
  #buffer: ConsumeMessage[] = []
  #head = 0
  #bytes = 0
  #averageBytes = 256
  /** Taken and not yet given back as credits. */
  #uncredited = 0
  #last: ConsumeMessage | undefined
  #credits = CREDITS_MAX
  #attachment: Attachment | undefined
  /** Rises with every move, so that an attaching under way is dropped. */
  #version = 0
  #failure: SkeinError | undefined
  /** To be told once; reading goes on behind it. */
  #gap: SkeinError | undefined

  constructor(parts: StreamFeedParts, start: FeedStart) {
    this.#parts = parts
    this.partition = parts.partition
    this.#start = start
    this.#started.promise.catch(() => {})
    void this.#run()
  }

  /** Resolves once the place where reading begins is fixed: what is written from then on is not missed. */
  get started(): Promise<void> {
    return this.#started.promise
  }

  get hasMore(): boolean {
    return this.#head < this.#buffer.length || this.#gap !== undefined || this.#failure !== undefined
  }

  /** A message is buffered. */
  get hasMessage(): boolean {
    return this.#head < this.#buffer.length
  }

  /** Everything before it was taken or is none of the reader's; undefined while a start that is no offset has found nothing. */
  get place(): number | undefined {
    return this.hasMessage ? streamOffsetOf(this.#buffer[this.#head]!) : this.#next
  }

  /** Where it was told to begin. */
  get start(): FeedStart {
    return this.#start
  }

  /** The first message that is buffered. Throws what went wrong: a gap once, the end of the stream for ever. */
  peek(): ConsumeMessage | undefined {
    if (this.#gap !== undefined) {
      const gap = this.#gap
      this.#gap = undefined
      throw gap
    }
    if (this.#head < this.#buffer.length) return this.#buffer[this.#head]
    if (this.#failure !== undefined) throw this.#failure
    return undefined
  }

  /** Takes what `peek` gave. */
  shift(): void {
    const message = this.#buffer[this.#head]!
    this.#head += 1
    this.#bytes -= message.content.byteLength
    this.#last = message
    this.#uncredited += 1
    if (this.#head === this.#buffer.length) {
      this.#buffer = []
      this.#head = 0
    } else if (this.#head > COMPACT_ABOVE && this.#head * 2 > this.#buffer.length) {
      this.#buffer = this.#buffer.slice(this.#head)
      this.#head = 0
    }
  }

  offsetOf(message: ConsumeMessage): number {
    return streamOffsetOf(message)
  }

  /** Repeats are passed over before they are buffered. */
  isRepeat(): boolean {
    return false
  }

  /** A stream counts nothing: that is the place's. */
  triesOf(): number {
    return 0
  }

  /** After taking: the broker may send as many again. */
  credit(): void {
    const attachment = this.#attachment
    if (attachment === undefined || this.#last === undefined) return
    if (this.#uncredited * 2 < this.#credits && this.#head < this.#buffer.length) return
    this.#uncredited = 0
    const message = this.#last
    this.#last = undefined
    if (attachment.isOver) {
      attachment.end()
      return
    }
    try {
      attachment.channel.ack(message, true)
    } catch {
      // Its channel is gone, and with it the credits.
    }
  }

  /** Reads on from elsewhere; what was buffered is dropped. */
  moveTo(start: FeedStart): void {
    this.#version += 1
    this.#start = start
    this.#next = undefined
    this.#notBeforeMs = undefined
    this.#gap = undefined
    this.#dropBuffer()
    this.#repeats.clear()
    this.#over()
  }

  #dropBuffer(): void {
    this.#buffer = []
    this.#head = 0
    this.#bytes = 0
    this.#last = undefined
    this.#uncredited = 0
  }

  close(): void {
    if (this.#stop.signal.aborted) return
    this.#stop.abort(new SkeinError('closed', `The reader of "${this.#parts.topic}" is closed`))
    this.#version += 1
    this.#started.resolve()
    this.#dropBuffer()
    this.#over()
  }

  #over(): void {
    const attachment = this.#attachment
    if (attachment === undefined) return
    attachment.isOver = true
    attachment.end()
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        await this.#attachOnce(await this.#parts.link.connection(signal))
      } catch (error) {
        if (signal.aborted) return
        if (!(error as SkeinError).retryable) return this.#fail(error as SkeinError)
        await this.#parts.clock.sleep(this.#parts.random.float() * TRY_AGAIN_MS, { signal }).catch(() => {})
      }
    }
  }

  #fail(error: SkeinError): void {
    this.#failure = error
    this.#started.reject(error)
    this.#parts.onChange()
  }

  /** Resolves when the consuming ends: the connection is lost, the buffer is full, or the feed moves. */
  async #attachOnce(connection: Connection): Promise<void> {
    const version = this.#version
    const start = await this.#resolveStart()
    if (version !== this.#version) return
    const channel = await connection.channel()
    const { promise: ended, resolve: end } = Promise.withResolvers<void>()
    const attachment: Attachment = { channel, isOver: false, end }
    this.#credits = this.#creditsNow()
    this.#attachment = attachment
    channel.on('close', end)
    try {
      await this.#consume(attachment, start)
      if (version !== this.#version) return
      this.#started.resolve()
      await ended
    } finally {
      attachment.isOver = true
      if (this.#attachment === attachment) this.#attachment = undefined
      this.#last = undefined
      this.#uncredited = 0
      channel.close().catch(() => {})
    }
  }

  async #consume(attachment: Attachment, start: StreamStart): Promise<void> {
    const { stream, topic } = this.#parts
    const { channel } = attachment
    try {
      await channel.prefetch(this.#credits)
      await channel.consume(stream, (message) => this.#onMessage(attachment, message), {
        arguments: { 'x-stream-offset': offsetArgument(start) },
      })
    } catch (cause) {
      throw amqpError(cause, `Cannot read topic "${topic}"`)
    }
  }

  /** So many of the usual size fill half the buffer. */
  #creditsNow(): number {
    const fitting = Math.floor(this.#parts.bufferBytesMax / 2 / this.#averageBytes)
    return Math.max(CREDITS_MIN, Math.min(CREDITS_MAX, fitting))
  }

  /** Where the broker is to begin; "the latest" is fixed here, so that it means the same after a lost connection. */
  async #resolveStart(): Promise<StreamStart> {
    if (this.#next !== undefined) {
      await this.#checkThere(this.#next)
      return this.#next
    }
    const start = this.#start
    if (typeof start === 'number') {
      await this.#checkThere(start)
      this.#next ??= start
      return this.#next
    }
    if (start === 'earliest') return 'first'
    if (start === 'latest') {
      this.#next = (await streamEnds(this.#parts.link, this.#parts.stream)).end
      return this.#next
    }
    this.#notBeforeMs = start.timestampMs
    return { seconds: Math.max(0, Math.floor((start.timestampMs - TIME_MARGIN_MS) / 1_000)) }
  }

  /** Below the first message there is a gap: the reader is told of it once. */
  async #checkThere(offset: number): Promise<void> {
    if (offset === 0 && this.#next === undefined && this.#start !== 0) return
    const { stream, topic, partition } = this.#parts
    const { start } = await streamEnds(this.#parts.link, stream)
    if (offset >= start) return
    this.#next = start
    this.#gap = new SkeinError(
      'position-gone',
      `Cannot read partition ${partition} of "${topic}" from ${offset}: retention took what lies before ${start}; reading goes on there`,
      { details: { topic, partition, offset, startOffset: start } },
    )
    this.#parts.onChange()
  }

  #onMessage(attachment: Attachment, message: ConsumeMessage | null): void {
    if (attachment.isOver || this.#attachment !== attachment) return
    // The stream was deleted, or its leader moved: attaching again finds out which.
    if (message === null) {
      this.#over()
      return
    }
    const offset = streamOffsetOf(message)
    if (this.#next !== undefined && offset < this.#next) return
    if (this.#bytes > 0 && this.#bytes + message.content.byteLength > this.#parts.bufferBytesMax) {
      attachment.isOver = true
      return
    }
    this.#next = offset + 1
    this.#averageBytes += (message.content.byteLength - this.#averageBytes) / 64
    this.#keep(message)
  }

  #keep(message: ConsumeMessage): void {
    const origin = originOf(message)
    if (this.#repeats.isRepeat(origin) || this.#isTooEarly(origin.sentAtMs)) {
      this.#skip(message)
      return
    }
    this.#buffer.push(message)
    this.#bytes += message.content.byteLength
    if (this.#buffer.length - this.#head === 1) this.#parts.onChange()
  }

  #isTooEarly(sentAtMs: number): boolean {
    if (this.#notBeforeMs === undefined) return false
    if (sentAtMs < this.#notBeforeMs) return true
    this.#notBeforeMs = undefined
    return false
  }

  /** Its credit comes back with the next that is taken, or at once where none is there to be taken. */
  #skip(message: ConsumeMessage): void {
    this.#uncredited += 1
    if (this.#head < this.#buffer.length) return
    this.#last = message
    this.credit()
  }
}
