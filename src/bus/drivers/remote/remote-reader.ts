import { type Clock, ClosedError, SkeinError } from '../../../core/index.ts'
import {
  failureFromHead,
  type Head,
  Lane,
  Operation,
  type Precedence,
  type Session,
  type WireMessage,
} from '../../../wire/index.ts'
import type {
  Assignment,
  Batch,
  Delivery,
  Lag,
  Position,
  Reader,
  ReaderOptions,
  ReadLimits,
  SettleOptions,
  StartPosition,
} from '../../index.ts'
import { StoredDelivery } from '../../kit/index.ts'
import type { DeliveredHead } from './delivered-batch.ts'
import { Generations, revoked } from './generations.ts'
import { isLost, type Link, type Resumable } from './link.ts'
import { ReadBuffer, type Taken } from './read-buffer.ts'

export interface RemoteReaderOptions {
  readonly id: number
  readonly topic: string
  readonly ttlMs: number | undefined
  readonly link: Link
  /** Undefined for a topic that is not known here. */
  readonly lane: Lane | undefined
  readonly precedence: Precedence
  readonly clock: Clock
  readonly options: ReaderOptions
  readonly onClosed: (reader: RemoteReader) => void
}

const BUFFER_BYTES_MAX = 1024 * 1024

/**
 * Reads one topic through a node. The node sends as many bytes as this side has room for; what comes is decoded where
 * it is read. When the connection breaks, a broadcast reader goes on behind the last message that came, a group reader
 * gets again what it did not acknowledge.
 */
export class RemoteReader implements Reader, Resumable {
  readonly id: number
  readonly #topic: string
  readonly #link: Link
  readonly #lane: Lane | undefined
  readonly #precedence: Precedence
  readonly #options: ReaderOptions
  readonly #onClosed: (reader: RemoteReader) => void
  readonly #buffer: ReadBuffer
  readonly #creditStepBytes: number
  readonly #generations = new Generations()
  readonly #listeners: Array<(change: Assignment) => Promise<void> | void> = []
  readonly #revokedAt = new Map<number, number>()
  #from: StartPosition | undefined
  /** Of a broadcast reader: where each partition goes on after a broken connection. */
  readonly #next = new Map<number, number>()
  /** The node has said where every partition began, so `#next` is whole. */
  #isPlaced = false
  /** Nothing is stored: there is no place to go on from. */
  #isEphemeral = false
  #epoch = 0
  #dropped = 0
  #creditBytes = 0
  #opened: Promise<void> = Promise.resolve()
  #isOpen = true
  #urgentOver: (() => void) | undefined

  constructor(options: RemoteReaderOptions) {
    const { bufferBytesMax = BUFFER_BYTES_MAX } = options.options
    this.id = options.id
    this.#topic = options.topic
    this.#link = options.link
    this.#lane = options.lane
    this.#precedence = options.precedence
    this.#options = options.options
    this.#from = options.options.from
    this.#onClosed = options.onClosed
    this.#creditStepBytes = bufferBytesMax / 8
    this.#buffer = new ReadBuffer({
      topic: options.topic,
      clock: options.clock,
      bytesMax: bufferBytesMax,
      credit: (bytes, taken) => this.#credit(bytes, taken),
      onExpired: (deliveries) => this.#giveUp(deliveries),
    })
    this.#buffer.ttlMs = options.ttlMs
    this.#link.add(this)
  }

  get dropped(): number {
    return this.#dropped
  }

  onConnected(session: Session): void {
    const options = { ...this.#options, from: this.#resumeFrom() }
    this.#creditBytes = 0
    const head = {
      reader: this.id,
      topic: this.#topic,
      options,
      credit: this.#buffer.credit,
      epoch: this.#epoch,
    }
    this.#opened = session.call(Operation.openReader, { lane: Lane.urgent, head }).then(
      (answer) => this.#onOpened(answer.head),
      (error: unknown) => {
        if (!isLost(error)) this.#buffer.fail(error)
      },
    )
  }

  onBroken(): void {
    this.#generations.nextConnection()
    this.#revokedAt.clear()
    if (this.#isEphemeral) this.#next.clear()
    // A group reader is given again what it did not acknowledge; a broadcast reader keeps what has come.
    if (this.#options.mode === 'group') this.#buffer.clear()
  }

  onEnded(error: SkeinError): void {
    this.#finish(error)
  }

  read(limits: ReadLimits = {}): Promise<Batch | null> {
    if (!this.#isOpen) return Promise.reject(this.#closedError())
    if (this.#lane !== Lane.bulk || !this.#precedence.isTaken) return this.#buffer.read(limits)
    return this.#precedence.clear().then(() => this.#buffer.read(limits))
  }

  async acknowledge(through: Position, generation?: number): Promise<void> {
    this.#checkOpen()
    if (this.#options.mode === 'broadcast') return
    this.#noUrgency()
    const { partition, sequence } = through
    const ofNode = this.#generations.toNode(generation)
    await this.#callOnce(Operation.acknowledge, { reader: this.id, partition, sequence, generation: ofNode })
  }

  async settle(
    deliveries: readonly Delivery[],
    how: 'retry' | 'release' | 'dead',
    options: SettleOptions = {},
  ): Promise<void> {
    this.#checkOpen()
    const [first] = deliveries
    if (first === undefined) return
    if (!(first instanceof StoredDelivery)) {
      throw new SkeinError('bad-argument', 'Cannot settle these messages: they are not of this reader')
    }
    const generation = this.#generations.toNode(first.source.generation)
    const messages = deliveries.map((delivery) => {
      const { partition, sequence } = delivery.position
      return [partition, sequence, delivery.key ?? delivery.subject] as const
    })
    const wholePartition = this.#options.mode === 'group' && this.#options.retry?.onDead === 'block'
    const head = { reader: this.id, messages, how, generation, wholePartition, ...options }
    const byPartition = Map.groupBy(messages, ([partition]) => partition)
    this.#buffer.hold(byPartition.keys())
    try {
      const answer = await this.#callOnce(Operation.settle, head)
      for (const [partition, settled] of byPartition) {
        const keys = wholePartition ? 'all' : new Set(settled.map(([, , key]) => key))
        this.#buffer.withdraw({ partition, keys, throughNumber: answer.through as number })
      }
    } finally {
      this.#buffer.letGo(byPartition.keys())
    }
  }

  onAssignment(listener: (change: Assignment) => Promise<void> | void): void {
    this.#listeners.push(listener)
  }

  async seek(to: StartPosition): Promise<void> {
    this.#checkOpen()
    await this.#session()
    const whole = this.#wholeSeek(to)
    this.#from = whole
    for (;;) {
      this.#checkOpen()
      this.#epoch += 1
      this.#next.clear()
      this.#isPlaced = false
      this.#buffer.clear()
      const session = await this.#session()
      const head = { reader: this.id, to: whole, epoch: this.#epoch, credit: this.#buffer.credit }
      this.#creditBytes = 0
      try {
        const answer = await session.call(Operation.seek, { lane: Lane.urgent, head })
        return this.#onOpened(answer.head)
      } catch (error) {
        // Sought again over the next connection: what came in between is dropped by its epoch.
        if (session.isOpen || !isLost(error)) throw error
      }
    }
  }

  /**
   * What was sent ahead is forgotten: of the partitions that a broadcast reader does not seek, too, so that those are
   * sought where their first unread message is.
   */
  #wholeSeek(to: StartPosition): StartPosition {
    if (!this.#isPlaced || typeof to === 'string' || 'timestampMs' in to) return to
    const sought: readonly Position[] = 'partition' in to ? [to] : to
    const others = [...this.#next]
      .filter(([partition]) => !sought.some((one) => one.partition === partition))
      .map(([partition, next]) => ({ partition, sequence: this.#buffer.firstUnread(partition) ?? next }))
    return [...sought, ...others]
  }

  async end(): Promise<readonly Position[]> {
    const head = await this.#callAgain(Operation.end)
    return head.positions as readonly Position[]
  }

  async lag(): Promise<readonly Lag[]> {
    const head = await this.#callAgain(Operation.readerLag)
    const { lag, sent } = head as unknown as { readonly lag: readonly Lag[]; readonly sent?: readonly Position[] }
    if (this.#options.mode === 'group' || this.#isEphemeral) return lag
    const sentThrough = new Map((sent ?? []).map(({ partition, sequence }) => [partition, sequence]))
    return lag.map((each) => this.#withUnread(each, sentThrough.get(each.partition) ?? -1))
  }

  /** The node counts from what it has sent; what is on its way or waits in the buffer was not given either. */
  #withUnread(lag: Lag, sentThrough: number): Lag {
    const next = this.#next.get(lag.partition) ?? 0
    const given = this.#buffer.firstUnread(lag.partition) ?? next
    const unread = Math.max(next, sentThrough + 1) - given
    return unread > 0 ? { ...lag, messages: lag.messages + unread, seconds: undefined } : lag
  }

  drain(): Promise<void> {
    return this.#close('drain')
  }

  close(): Promise<void> {
    return this.#close('close')
  }

  /** A cast of the node for this reader. */
  onCast(cast: WireMessage): void {
    const { operation, head, body } = cast
    if (head.epoch !== this.#epoch) return
    if (operation === Operation.readerFailed) this.#buffer.fail(failureFromHead(head))
    else this.#onDelivered(head as unknown as DeliveredHead, body)
  }

  /** The node's news about which partitions this reader has; the answer lets a revocation go on. */
  async onAssignmentCall(head: Head): Promise<void> {
    const { generation: ofNode, added, removed } = head as unknown as Assignment
    const generation = this.#generations.fromNode(ofNode)
    for (const partition of removed) this.#revokedAt.set(partition, generation)
    this.#buffer.revoke(removed)
    for (const listener of this.#listeners) await listener({ generation, added, removed })
  }

  #onDelivered(head: DeliveredHead, body: Uint8Array): void {
    const generation = this.#generations.fromNode(head.generation)
    const { partition, lastSequence } = head
    const fromSequence = this.#options.mode === 'broadcast' ? (this.#next.get(partition) ?? 0) : 0
    this.#dropped = head.dropped
    const revokedAt = this.#revokedAt.get(partition)
    // It was on its way when the partition was taken away: urgent news overtake bulk. They name the generation that
    // ends; whoever has the partition afterwards has it under a later one.
    const isRevoked = revokedAt !== undefined && generation <= revokedAt
    if (isRevoked || lastSequence < fromSequence) {
      this.#credit(body.byteLength, undefined)
      return
    }
    if (this.#isCommands) this.#urgentOver ??= this.#precedence.begin()
    this.#next.set(partition, lastSequence + 1)
    this.#buffer.add(head, { body, generation, fromSequence })
  }

  /** What expired here is in hand at the node: it would count as lag, and hold up a revocation. */
  #giveUp(deliveries: readonly Delivery[]): void {
    if (this.#options.mode === 'broadcast') return
    const { partition, generation } = (deliveries[0] as StoredDelivery).source
    const messages = deliveries.map(({ position, key, subject }) => [partition, position.sequence, key ?? subject])
    const giveUp = async () => {
      const head = { reader: this.id, messages, how: 'expired', wholePartition: false }
      await this.#callOnce(Operation.settle, { ...head, generation: this.#generations.toNode(generation) })
    }
    // Revoked or lost with the connection: then the node itself finds it expired.
    giveUp().catch(() => {})
  }

  #onOpened(head: Head): void {
    if (typeof head.ttlMs === 'number') this.#buffer.ttlMs = head.ttlMs
    if (this.#options.mode === 'group') return
    this.#isPlaced = head.start !== undefined
    this.#isEphemeral = head.ephemeral === true
    for (const { partition, sequence } of (head.start ?? []) as readonly Position[]) {
      // A delivery may have overtaken this answer in the turn that brought both.
      if (!this.#next.has(partition)) this.#next.set(partition, sequence)
    }
  }

  #resumeFrom(): StartPosition | undefined {
    if (!this.#isPlaced) return this.#from
    return [...this.#next].map(([partition, sequence]) => ({ partition, sequence }))
  }

  /** Room is told in steps; a group's node also has to know what the application has in hand. */
  #credit(bytes: number, taken: Taken | undefined): void {
    this.#creditBytes += bytes
    const isGroup = this.#options.mode === 'group'
    if (this.#creditBytes < this.#creditStepBytes && bytes > 0 && !isGroup) return
    if (bytes === 0 && taken !== undefined && !isGroup) return
    const head = { reader: this.id, bytes: this.#creditBytes, epoch: this.#epoch, ...taken }
    this.#creditBytes = 0
    this.#link.session?.cast(Operation.credit, { lane: Lane.urgent, head })
  }

  /** For what must not be done twice. Lost with the connection means revoked: what is not settled comes again. */
  async #callOnce(operation: number, head: Head): Promise<Head> {
    const { session } = this.#link
    if (session === undefined) throw revoked('the connection has ended')
    await this.#opened
    try {
      return (await session.call(operation, { lane: Lane.urgent, head })).head
    } catch (error) {
      if (isLost(error)) throw this.#isOpen ? revoked('the connection has ended') : this.#closedError()
      throw error
    }
  }

  async #callAgain(operation: number): Promise<Head> {
    for (;;) {
      this.#checkOpen()
      const session = await this.#session()
      const over = this.#lane === Lane.bulk ? undefined : this.#precedence.begin()
      try {
        return (await session.call(operation, { lane: Lane.urgent, head: { reader: this.id } })).head
      } catch (error) {
        if (session.isOpen || !isLost(error)) throw error
      } finally {
        over?.()
      }
    }
  }

  async #session(): Promise<Session> {
    const session = await this.#link.connected()
    await this.#opened
    return session
  }

  async #close(how: 'drain' | 'close'): Promise<void> {
    if (!this.#isOpen) return
    this.#finish(this.#closedError())
    const { session } = this.#link
    if (session === undefined) return
    await this.#opened
    try {
      await session.call(Operation.closeReader, { lane: Lane.urgent, head: { reader: this.id, how } })
    } catch (error) {
      // With the connection the node closes the reader by itself.
      if (!isLost(error)) throw error
    }
  }

  #finish(error: unknown): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#noUrgency()
    this.#link.remove(this)
    this.#buffer.end(error)
    this.#onClosed(this)
  }

  /** Commands that were given here come before telemetry until they are acknowledged. */
  get #isCommands(): boolean {
    return this.#lane === Lane.urgent && this.#options.mode === 'group'
  }

  #noUrgency(): void {
    this.#urgentOver?.()
    this.#urgentOver = undefined
  }

  #checkOpen(): void {
    if (!this.#isOpen) throw this.#closedError()
  }

  #closedError(): ClosedError {
    return new ClosedError(`the reader of "${this.#topic}"`)
  }
}
