import type { Channel, ConsumeMessage } from 'amqplib'
import { type Clock, type Random, SkeinError } from '../../../core/index.ts'
import { amqpError } from './amqp-error.ts'
import type { Connection } from './connection.ts'
import { declareQuorumQueue } from './declare.ts'
import type { Link } from './link.ts'

const TRY_AGAIN_MS = 250
const LAZY_MS = 20
/** Longer than any queue needs to find its leader. */
const ANSWERS_WITHIN_MS = 10_000

export interface PlaceParts {
  readonly link: Link
  readonly queue: string
  /** For messages: "group "map" in partition 3 of …". */
  readonly what: string
  readonly clock: Clock
  readonly random: Random
  readonly members: number
  readonly hasDeliveryLimit: boolean
}

export interface PlaceEvents<T> {
  /** It is ours; `stored` is what was saved last, undefined where nothing ever was. */
  readonly onHeld: (stored: T | undefined) => void
  /** It is not ours any more; it is waited for again. */
  readonly onLost: () => void
  /**
   * Nobody can ever have it. A broker that was killed within a second of the making of a quorum queue may know its name and
   * nothing else; with one server there is nowhere that could still have what it held, which was not yet a second old.
   */
  readonly onDead: () => void
  /** It can't be had at all. */
  readonly onFailed: (error: SkeinError) => void
}

type Token<T> =
  | { readonly claim: string }
  | { readonly by: string; readonly epoch: number; readonly version: number; readonly state: T }

interface Holding {
  readonly channel: Channel
  /** Names this holding, never used again. */
  readonly id: string
  readonly end: () => void
  isHeld: boolean
  epoch: number
  version: number
  lastMessage: ConsumeMessage | undefined
}

interface Save {
  readonly promise: Promise<void>
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * A piece of state that one process at a time may write, in a quorum queue with a single active consumer. The state is the
 * newest message of the queue, and the holder keeps it unacknowledged: when its connection goes, the broker gives it to the
 * next who waits. A save is a new message, and it is done when it has come back: that proves both that a majority of the
 * queue's members have synced it, and that this process is still the one the queue gives to. Only then are older ones
 * acknowledged, on the channel they came by.
 */
export class Place<T> {
  readonly #parts: PlaceParts
  readonly #events: PlaceEvents<T>
  readonly #source: () => T
  readonly #stop = new AbortController()
  #holding: Holding | undefined
  #best: { readonly epoch: number; readonly version: number; readonly state: T } | undefined
  #inFlight: (Save & { readonly version: number }) | undefined
  #queued: Save | undefined
  #isTouched = false
  #finished: Promise<void>

  /** `source` gives what is to be saved, at the moment it is sent. */
  constructor(parts: PlaceParts, source: () => T, events: PlaceEvents<T>) {
    this.#parts = parts
    this.#source = source
    this.#events = events
    this.#finished = this.#run()
  }

  get isHeld(): boolean {
    return this.#holding?.isHeld === true
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
    const { queue, members, hasDeliveryLimit, what } = this.#parts
    const channel = await connection.channel()
    const { promise: ended, resolve: end } = Promise.withResolvers<void>()
    const holding: Holding = {
      ...{ channel, end, id: this.#newId(), isHeld: false },
      ...{ epoch: 0, version: 0, lastMessage: undefined },
    }
    this.#holding = holding
    this.#best = undefined
    channel.on('close', end)
    try {
      await declareQuorumQueue(channel, queue, { members, hasDeliveryLimit })
      const consuming = channel.consume(queue, (message) => this.#onToken(holding, message))
      if (!(await this.#isAnswered(connection, consuming, ended))) this.#events.onDead()
      this.#send(holding, { claim: holding.id })
      await ended
    } catch (cause) {
      throw amqpError(cause, `Cannot hold ${what}`)
    } finally {
      this.#drop(holding)
      // Not waited for: the channel of a dead queue never answers.
      channel.close().catch(() => {})
    }
  }

  /** False for a queue that exists by name only: it never answers, while the broker answers everything else. */
  async #isAnswered(connection: Connection, consuming: Promise<unknown>, ended: Promise<void>): Promise<boolean> {
    const { clock } = this.#parts
    const stop = new AbortController()
    const late = clock.sleep(ANSWERS_WITHIN_MS, { signal: stop.signal }).then(() => 'late' as const)
    late.catch(() => {})
    consuming.catch(() => {})
    const first = await Promise.race([consuming, ended, late]).finally(() => stop.abort())
    if (first !== 'late') {
      await Promise.race([consuming, ended])
      return true
    }
    const other = await connection.channel()
    await other.prefetch(1).finally(() => other.close().catch(() => {}))
    return Promise.race([consuming.then(() => true), Promise.resolve().then(() => false)])
  }

  #newId(): string {
    return Buffer.from(this.#parts.random.bytes(12)).toString('base64url')
  }

  #drop(holding: Holding): void {
    if (this.#holding === holding) this.#holding = undefined
    const error = this.lostError()
    this.#inFlight?.reject(error)
    this.#queued?.reject(error)
    this.#inFlight = undefined
    this.#queued = undefined
    if (!holding.isHeld) return
    holding.isHeld = false
    if (!this.#stop.signal.aborted) this.#events.onLost()
  }

  lostError(): SkeinError {
    return new SkeinError(
      'revoked',
      `Cannot settle for ${this.#parts.what}: it went to another reader, or the connection broke; what was not acknowledged is delivered again`,
      { retryable: true },
    )
  }

  #send(holding: Holding, token: Token<T>): void {
    try {
      holding.channel.sendToQueue(this.#parts.queue, Buffer.from(JSON.stringify(token)), { persistent: true })
    } catch {
      // Its channel is gone: the holding ends with it.
      holding.end()
    }
  }

  #onToken(holding: Holding, message: ConsumeMessage | null): void {
    if (holding !== this.#holding) return
    if (message === null) {
      holding.end()
      return
    }
    const token = JSON.parse(message.content.toString()) as Token<T>
    if (holding.isHeld) this.#onTokenHeld(holding, message, token)
    else this.#onTokenBefore(holding, message, token)
    holding.lastMessage = message
  }

  /**
   * Any token tells that the queue gives to us now; our own claim, given for the first time, that everything before it has
   * been given. One that was given to somebody else first proves nothing: then a new one is sent.
   */
  #onTokenBefore(holding: Holding, message: ConsumeMessage, token: Token<T>): void {
    if ('claim' in token) {
      const isFirst = token.claim === holding.id && !message.fields.redelivered
      if (isFirst || token.claim === `${holding.id}!`) {
        this.#held(holding)
        return
      }
    } else if (isNewer(token, this.#best)) this.#best = token
    if (holding.lastMessage === undefined) this.#send(holding, { claim: `${holding.id}!` })
  }

  #held(holding: Holding): void {
    holding.isHeld = true
    holding.epoch = (this.#best?.epoch ?? 0) + 1
    this.#events.onHeld(this.#best?.state)
  }

  #onTokenHeld(holding: Holding, message: ConsumeMessage, token: Token<T>): void {
    if ('claim' in token || token.by !== holding.id) return
    // Everything before the newest state may go.
    if (holding.lastMessage !== undefined) holding.channel.ack(holding.lastMessage, true)
    holding.lastMessage = message
    const done = this.#inFlight
    if (done === undefined || token.version < done.version) return
    const next = this.#queued
    this.#inFlight = undefined
    this.#queued = undefined
    if (next !== undefined) this.#save(holding, next)
    done.resolve()
  }

  /** Saved soon, together with what else happens until then. */
  touch(): void {
    if (this.#isTouched) return
    this.#isTouched = true
    this.#parts.clock.setTimer(() => {
      if (this.#isTouched && this.isHeld) this.flush().catch(() => {})
      this.#isTouched = false
    }, LAZY_MS)
  }

  /** Resolves when the state as it is now is saved. Rejects with `revoked` when this process does not hold it any more. */
  flush(): Promise<void> {
    const holding = this.#holding
    if (holding?.isHeld !== true) return Promise.reject(this.lostError())
    this.#isTouched = false
    if (this.#inFlight === undefined) return this.#save(holding, newSave())
    this.#queued ??= newSave()
    return this.#queued.promise
  }

  #save(holding: Holding, save: Save): Promise<void> {
    holding.version += 1
    const { id, epoch, version } = holding
    this.#inFlight = { ...save, version }
    this.#send(holding, { by: id, epoch, version, state: this.#source() })
    return save.promise
  }

  /** Lets the next have it. What was not saved is not kept. Idempotent. */
  async release(): Promise<void> {
    this.#stop.abort(this.lostError())
    this.#holding?.end()
    await this.#finished
  }
}

function newSave(): Save {
  const save = Promise.withResolvers<void>()
  save.promise.catch(() => {})
  return save
}

function isNewer(
  token: { readonly epoch: number; readonly version: number },
  than: { readonly epoch: number; readonly version: number } | undefined,
): boolean {
  if (than === undefined) return true
  return token.epoch > than.epoch || (token.epoch === than.epoch && token.version > than.version)
}
