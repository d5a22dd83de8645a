import type { Channel, ConsumeMessage } from 'amqplib'
import { type Clock, type Random, SkeinError } from '../../../core/index.ts'
import type { StoredProgress } from '../../kit/index.ts'
import { amqpError } from './amqp-error.ts'
import type { Connection } from './connection.ts'
import type { Link } from './link.ts'
import type { Hold, HoldEvents } from './share-source.ts'
import { WorkAcknowledger } from './work-acknowledger.ts'
import { WorkFeed } from './work-feed.ts'

const TRY_AGAIN_MS = 250
const LAZY_MS = 20
/** What came back so often may kill whoever reads it: until it is done nothing else is sent, so that only it is counted. */
const SUSPECT_TRIES = 2

export interface WorkQueueParts {
  readonly link: Link
  readonly queue: string
  readonly partition: number
  /** For messages: "group "map" in partition 3 of …". */
  readonly what: string
  /** The broker sends so many that were not acknowledged. */
  readonly prefetch: number
  readonly clock: Clock
  readonly random: Random
  /** The next offset, over all channels of this reader: an old position never means a newer message. */
  readonly offsets: { next: number }
}

interface Holding {
  readonly channel: Channel
  readonly feed: WorkFeed
  readonly acknowledger: WorkAcknowledger
  readonly end: () => void
  /** One message at a time: the first of a channel, and suspects. */
  isCareful: boolean
  consumerTag: string
  lastTries: number
}

/**
 * One partition of a topic whose messages are work, for one group: a quorum queue with a single active consumer. What is given
 * stays unacknowledged until it is done, and is acknowledged on the channel it came by; a lost channel gives it back to the
 * queue, in front of what is newer.
 */
export class WorkQueue implements Hold {
  readonly #parts: WorkQueueParts
  readonly #events: HoldEvents
  readonly #save: () => StoredProgress
  readonly #stop = new AbortController()
  readonly #finished: Promise<void>
  #holding: Holding | undefined
  #widening: Promise<void> | undefined
  #isTouched = false

  constructor(parts: WorkQueueParts, save: () => StoredProgress, events: HoldEvents) {
    this.#parts = parts
    this.#save = save
    this.#events = events
    this.#finished = this.#run()
  }

  get isHeld(): boolean {
    return this.#holding !== undefined
  }

  /** Of the channel there is now. */
  get feed(): WorkFeed | undefined {
    return this.#holding?.feed
  }

  /** Sent to us and not acknowledged. */
  get outstanding(): number {
    return this.#holding === undefined ? 0 : this.#holding.feed.received - this.#holding.acknowledger.count
  }

  async #run(): Promise<void> {
    const { link, clock, random } = this.#parts
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        await this.#hold(await link.connection(signal))
      } catch (error) {
        if (signal.aborted) return
        if (!(error as SkeinError).retryable) return this.#events.onFailed(error as SkeinError)
      }
      if (!signal.aborted) await clock.sleep(random.float() * TRY_AGAIN_MS, { signal }).catch(() => {})
    }
  }

  async #hold(connection: Connection): Promise<void> {
    const { partition, offsets, what } = this.#parts
    const channel = await connection.channel()
    const { promise: ended, resolve: end } = Promise.withResolvers<void>()
    channel.on('close', end)
    const feed = new WorkFeed(
      { partition, base: offsets.next },
      { changed: this.#events.onData, taken: () => this.touch() },
    )
    const acknowledger = new WorkAcknowledger(channel, feed.base)
    const holding: Holding = {
      ...{ channel, feed, acknowledger, end },
      ...{ isCareful: true, consumerTag: '', lastTries: 0 },
    }
    try {
      // It is held by whoever is sent its messages: who comes second looks again, and the broker decides between two at once.
      if ((await channel.checkQueue(this.#parts.queue)).consumerCount > 0) return
      this.#holding = holding
      await this.#consume(holding, 1)
      if (this.#stop.signal.aborted) return
      this.#events.onHeld(undefined)
      await ended
    } catch (cause) {
      throw amqpError(cause, `Cannot read for ${what}`)
    } finally {
      this.#drop(holding)
      channel.close().catch(() => {})
    }
  }

  async #consume(holding: Holding, prefetch: number): Promise<void> {
    await holding.channel.prefetch(prefetch)
    const { consumerTag } = await holding.channel.consume(this.#parts.queue, (message) =>
      this.#onMessage(holding, message),
    )
    holding.consumerTag = consumerTag
  }

  #onMessage(holding: Holding, message: ConsumeMessage | null): void {
    if (holding !== this.#holding) return
    if (message === null) {
      holding.end()
      return
    }
    holding.lastTries = holding.feed.triesOf(message)
    this.#parts.offsets.next = holding.feed.offsetOf(message) + 1
    holding.feed.push(message)
  }

  #drop(holding: Holding): void {
    if (this.#holding === holding) this.#holding = undefined
    this.#widening = undefined
    this.#isTouched = false
    if (!this.#stop.signal.aborted) this.#events.onLost()
  }

  flush(): Promise<void> {
    const holding = this.#holding
    if (holding === undefined) return Promise.reject(this.#lostError())
    this.#isTouched = false
    const saved = this.#save()
    const isAllDone = saved.held.length === 0 && saved.settled >= holding.feed.end
    if (holding.isCareful && isAllDone && holding.feed.received > 0 && holding.lastTries < SUSPECT_TRIES) {
      this.#widening ??= this.#widen(holding, saved)
      return this.#widening
    }
    try {
      holding.acknowledger.acknowledge(saved)
      return Promise.resolve()
    } catch {
      // Its channel is gone, and what came over it belongs to the queue again.
      holding.end()
      return Promise.reject(this.#lostError())
    }
  }

  /**
   * The one message is done and no suspect: from now on many at a time. It is acknowledged between two consumers, so that no
   * other comes before the queue may have chosen somebody else.
   */
  async #widen(holding: Holding, done: StoredProgress): Promise<void> {
    try {
      await holding.channel.cancel(holding.consumerTag)
      holding.acknowledger.acknowledge(done)
      await this.#consume(holding, this.#parts.prefetch)
      holding.isCareful = false
    } catch {
      holding.end()
      throw this.#lostError()
    } finally {
      this.#widening = undefined
    }
  }

  touch(): void {
    if (this.#isTouched) return
    this.#isTouched = true
    this.#parts.clock.setTimer(() => {
      if (this.#isTouched && this.isHeld) this.flush().catch(() => {})
      this.#isTouched = false
    }, LAZY_MS)
  }

  #lostError(): SkeinError {
    return new SkeinError(
      'revoked',
      `Cannot settle for ${this.#parts.what}: it went to another reader, or the connection broke; what was not acknowledged is delivered again`,
      { retryable: true },
    )
  }

  async release(): Promise<void> {
    this.#stop.abort(this.#lostError())
    this.#holding?.end()
    await this.#finished
  }
}
