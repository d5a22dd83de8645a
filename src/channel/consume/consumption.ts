import type { Batch, Delivery, Lag, Reader } from '../../bus/index.ts'
import { namedErrorText } from '../../core/index.ts'
import { type BatchInHand, ConsumedBatch, together } from './consumed-batch.ts'
import { HeldKeys } from './held-keys.ts'
import type { Inbound } from './inbound.ts'
import { isGone, isUndecodable, orderKeyOf, Settlement } from './settlement.ts'

const MESSAGES_MAX = 512
/** How often to look after large values that are unfinished while nothing comes. */
const UNFINISHED_LOOK_MS = 1_000

export interface ConsumptionOptions<T> {
  readonly reader: Reader
  readonly inbound: Inbound<T>
  readonly messagesMax: number | undefined
  readonly signal: AbortSignal | undefined
  /** A broadcast reader has nothing to acknowledge. */
  readonly isGroup: boolean
  readonly onError: (error: unknown) => void
}

/** What is remembered of a partition from batch to batch. */
interface PartitionState {
  readonly generation: number
  readonly held: HeldKeys
}

/**
 * Batches for a `for await` loop. Asking for the next one acknowledges the one before; leaving the loop gives back what
 * is in hand, and the delivery count rises all the same, so that a poisonous message cannot come for ever.
 */
export class Consumption<T> implements AsyncIterableIterator<ConsumedBatch<T>> {
  readonly #options: ConsumptionOptions<T>
  readonly #reader: Reader
  #inHand: BatchInHand<T> | undefined
  readonly #partitions = new Map<number, PartitionState>()
  readonly #ended = Promise.withResolvers<void>()
  #isEnded = false

  constructor(options: ConsumptionOptions<T>) {
    this.#options = options
    this.#reader = options.reader
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** Resolves when it is closed, by whoever: the loop that was left, an error, `close()`. */
  get ended(): Promise<void> {
    return this.#ended.promise
  }

  /** Rejects with what the reader says, and with the signal's reason; either ends the loop and closes the reader. */
  async next(): Promise<IteratorResult<ConsumedBatch<T>, undefined>> {
    try {
      return await this.#next()
    } catch (error) {
      await this.close()
      throw error
    }
  }

  async #next(): Promise<IteratorResult<ConsumedBatch<T>, undefined>> {
    await this.#acknowledge()
    while (!this.#isEnded) {
      const batch = await this.#read()
      if (batch === undefined) break
      const inHand = await this.#open(batch)
      this.#inHand = inHand
      if (inHand.open.size > 0) return { done: false, value: new ConsumedBatch<T>(inHand) }
      await this.#acknowledge()
    }
    return { done: true, value: undefined }
  }

  /** What a `break` or a throw in the loop calls. */
  async return(): Promise<IteratorResult<ConsumedBatch<T>, undefined>> {
    await this.close()
    return { done: true, value: undefined }
  }

  lag(): Promise<readonly Lag[]> {
    return this.#reader.lag()
  }

  /** Gives back what is in hand, counted, and ends the loop. Idempotent. */
  async close(): Promise<void> {
    this.#isEnded = true
    const inHand = this.#inHand
    this.#inHand = undefined
    try {
      if (inHand !== undefined && this.#options.isGroup) await this.#giveBack(inHand)
    } finally {
      await this.#reader.close()
      this.#ended.resolve()
    }
  }

  async #read(): Promise<Batch | undefined> {
    const { signal, messagesMax, inbound } = this.#options
    const limits = { maxMessages: messagesMax ?? MESSAGES_MAX, ...(signal === undefined ? {} : { signal }) }
    try {
      for (;;) {
        const isWhole = inbound.chunks.isEmpty
        const batch = await this.#reader.read(isWhole ? limits : { ...limits, waitMs: UNFINISHED_LOOK_MS })
        if (batch !== null) return batch
        await this.#tidy()
      }
    } catch (error) {
      if (this.#isEnded) return undefined
      throw error
    }
  }

  /** While nothing comes: gives back what has stopped coming, and gives up what was unfinished for too long. */
  async #tidy(): Promise<void> {
    const settlement = new Settlement(this.#reader)
    for (const partition of this.#partitions.keys()) this.#settleUnfinished(partition, settlement)
    await settlement.done()
  }

  async #open(batch: Batch): Promise<BatchInHand<T>> {
    const { held } = this.#stateOf(batch)
    const inHand = { batch, settlement: new Settlement(this.#reader), held, open: new Map() }
    for (const delivery of batch.deliveries) {
      if (!held.isEmpty && held.holdsBack(orderKeyOf(delivery), delivery.position.sequence)) {
        inHand.settlement.settle([delivery], 'release')
      } else {
        await this.#openOne(delivery, inHand)
      }
    }
    this.#settleUnfinished(batch.partition, inHand.settlement)
    return inHand
  }

  async #openOne(delivery: Delivery, { settlement, open }: BatchInHand<T>): Promise<void> {
    const { inbound, onError, isGroup } = this.#options
    try {
      const message = await inbound.open(delivery)
      if (message !== undefined) open.set(message, this.#partsOf(delivery))
    } catch (error) {
      const deliveries = this.#partsOf(delivery)
      onError(error)
      if (!isGroup) return
      const how = isUndecodable(error) ? 'dead' : 'retry'
      settlement.settle(deliveries, how, together(deliveries, how, { error: namedErrorText(error) }))
    }
  }

  /** A whole large value is not kept longer: its message has the bytes. */
  #partsOf(delivery: Delivery): readonly Delivery[] {
    const { inbound } = this.#options
    const set = inbound.setOf(delivery)
    if (set === undefined) return [delivery]
    inbound.chunks.finish(set)
    return set.chunks.filter((chunk) => chunk !== undefined)
  }

  #settleUnfinished(partition: number, settlement: Settlement): void {
    const { inbound, onError, isGroup } = this.#options
    for (const { deliveries, error } of inbound.chunks.takeDropped(partition)) {
      onError(error)
      if (isGroup) settlement.settle(deliveries, 'dead', { error: namedErrorText(error) })
    }
    if (isGroup) settlement.settle(inbound.chunks.takeStalled(partition), 'release')
  }

  #stateOf({ partition, generation }: Batch): PartitionState {
    const known = this.#partitions.get(partition)
    if (known?.generation === generation) return known
    const state = { generation, held: new HeldKeys() }
    this.#partitions.set(partition, state)
    this.#options.inbound.chunks.forget(partition)
    return state
  }

  async #acknowledge(): Promise<void> {
    const inHand = this.#inHand
    this.#inHand = undefined
    if (inHand === undefined || !this.#options.isGroup) return
    try {
      const { batch, settlement } = inHand
      await settlement.acknowledge(batch, this.#options.inbound.chunks.leastIncomplete(batch.partition))
    } catch (error) {
      if (!isGone(error)) throw error
    }
  }

  async #giveBack({ settlement, open }: BatchInHand<T>): Promise<void> {
    settlement.settle([...open.values()].flat(), 'retry', {
      delayMs: 0,
      error: 'The loop was left before it was acknowledged',
    })
    await settlement.done().catch((error: unknown) => {
      if (!isGone(error)) throw error
    })
  }
}
