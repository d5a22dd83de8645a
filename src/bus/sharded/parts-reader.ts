import { type Clock, SkeinError } from '../../core/index.ts'
import type { Assignment, Lag, Reader, ReadLimits, SettleOptions, StartPosition } from '../bus.ts'
import type { Batch, Delivery, Position } from '../message.ts'
import type { Part } from './generations.ts'
import { innerDelivery, type Outer, outerBatch, outerPosition } from './sharded-delivery.ts'
import { outerPartition } from './sharded-topic.ts'
import { placesOf } from './start-of.ts'

interface Member {
  readonly part: Part
  readonly reader: Reader
}

/** One reader for each part of a topic, and what they give as one, under the whole topic's names and places. */
export class PartsReader implements Reader {
  readonly #topic: string
  readonly #clock: Clock
  readonly #members: readonly Member[]
  readonly #failures: unknown[] = []
  /** Came while another was given. */
  readonly #waiting: Batch[] = []
  readonly #outer: Outer | undefined
  #turn = 0

  constructor(topic: string, members: readonly Member[], options: { readonly clock: Clock; readonly outer?: Outer }) {
    this.#topic = topic
    this.#clock = options.clock
    this.#members = members
    this.#outer = options.outer
  }

  #outerBatch(batch: Batch, part: Part): Batch {
    return outerBatch(batch, { topic: this.#topic, part, ...(this.#outer && { outer: this.#outer }) })
  }

  async read(limits: ReadLimits = {}): Promise<Batch | null> {
    if (this.#failures.length > 0) throw this.#failures.shift()
    if (this.#waiting.length > 0) return this.#cut(this.#waiting.shift()!, limits.maxMessages)
    const [only, ...others] = this.#members
    if (only !== undefined && others.length === 0) {
      const batch = await only.reader.read(limits)
      return batch && this.#outerBatch(batch, only.part)
    }
    return this.#readAny(limits)
  }

  /** Whoever comes first; what the others were to give, they keep. */
  async #readAny(limits: ReadLimits): Promise<Batch | null> {
    const { signal, waitMs } = limits
    signal?.throwIfAborted()
    const enough = new AbortController()
    const stop = AbortSignal.any([enough.signal, ...(signal ? [signal] : [])])
    const { promise: came, resolve } = Promise.withResolvers<void>()
    const timer = waitMs === undefined ? undefined : this.#clock.setTimer(resolve, waitMs, { keepAlive: true })
    const reads = this.#inTurn().map((member) => this.#readOne(member, { ...limits, signal: stop }).then(resolve))
    await came
    timer?.cancel()
    enough.abort()
    await Promise.all(reads)
    signal?.throwIfAborted()
    if (this.#failures.length > 0) throw this.#failures.shift()
    const batch = this.#waiting.shift()
    return batch === undefined ? null : this.#cut(batch, limits.maxMessages)
  }

  async #readOne({ part, reader }: Member, { waitMs: _, signal, ...limits }: ReadLimits): Promise<void> {
    try {
      const batch = await reader.read({ ...limits, ...(signal && { signal }) })
      if (batch !== null) this.#waiting.push(this.#outerBatch(batch, part))
    } catch (error) {
      if (error !== signal?.reason) this.#failures.push(error)
    }
  }

  /** Each has its turn to be asked first. */
  #inTurn(): readonly Member[] {
    this.#turn = (this.#turn + 1) % Math.max(1, this.#members.length)
    return [...this.#members.slice(this.#turn), ...this.#members.slice(0, this.#turn)]
  }

  /** No more than was asked for now. */
  #cut(batch: Batch, maxMessages = Number.POSITIVE_INFINITY): Batch {
    if (batch.deliveries.length <= maxMessages) return batch
    const deliveries = batch.deliveries.slice(0, maxMessages)
    this.#waiting.unshift({ ...batch, deliveries: batch.deliveries.slice(maxMessages) })
    return { ...batch, deliveries, last: deliveries.at(-1)!.position }
  }

  has(partition: number): boolean {
    return this.#members.some(({ part }) => holds(part, partition))
  }

  #memberOf(partition: number): Member {
    const member = this.#members.find(({ part }) => holds(part, partition))
    if (member !== undefined) return member
    throw new SkeinError(
      'revoked',
      `Cannot settle in partition ${partition} of "${this.#topic}": its group is done with that generation, or has not come to it`,
      { retryable: true },
    )
  }

  async acknowledge({ partition, sequence }: Position, generation?: number): Promise<void> {
    const { part, reader } = this.#memberOf(partition)
    await reader.acknowledge({ partition: partition - part.firstPartition, sequence }, generation)
  }

  async settle(
    deliveries: readonly Delivery[],
    how: 'retry' | 'release' | 'dead',
    options?: SettleOptions,
  ): Promise<void> {
    const byMember = Map.groupBy(deliveries, ({ position }) => this.#memberOf(position.partition))
    await Promise.all([...byMember].map(([{ reader }, some]) => reader.settle(some.map(innerDelivery), how, options)))
  }

  onAssignment(listener: (change: Assignment) => Promise<void> | void): void {
    for (const { part, reader } of this.#members) {
      reader.onAssignment(({ generation, added, removed }) => {
        const outer = (partition: number) => outerPartition(part, partition)
        return listener({ generation, added: added.map(outer), removed: removed.map(outer) })
      })
    }
  }

  async seek(to: StartPosition): Promise<void> {
    const places = placesOf(to)
    if (places === undefined) {
      await Promise.all(this.#members.map(({ reader }) => reader.seek(to)))
      return
    }
    const byMember = Map.groupBy(places, ({ partition }) => this.#memberOf(partition))
    await Promise.all(
      [...byMember].map(([{ part, reader }, some]) => reader.seek(some.map((place) => innerPosition(place, part)))),
    )
  }

  async end(): Promise<readonly Position[]> {
    const ends = this.#members.map(async ({ part, reader }) =>
      (await reader.end()).map((end) => outerPosition(end, part)),
    )
    return (await Promise.all(ends)).flat()
  }

  async lag(): Promise<readonly Lag[]> {
    const lags = this.#members.map(async ({ part, reader }) =>
      (await reader.lag()).map((lag) => outerLag(lag, this.#topic, part)),
    )
    return (await Promise.all(lags)).flat()
  }

  get dropped(): number {
    return this.#members.reduce((sum, { reader }) => sum + reader.dropped, 0)
  }

  async drain(): Promise<void> {
    await Promise.all(this.#members.map(({ reader }) => reader.drain()))
  }

  async close(): Promise<void> {
    await Promise.all(this.#members.map(({ reader }) => reader.close()))
  }
}

function holds({ firstPartition, partitions }: Part, partition: number): boolean {
  return partition >= firstPartition && partition < firstPartition + partitions
}

export function innerPosition({ partition, sequence }: Position, part: Part): Position {
  return { partition: partition - part.firstPartition, sequence }
}

export function outerLag(lag: Lag, topic: string, part: Part): Lag {
  return { ...lag, topic, partition: outerPartition(part, lag.partition) }
}
