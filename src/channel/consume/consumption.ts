import type { Batch, Delivery, Lag, Reader } from '../../bus/index.ts'
import { ConsumedBatch } from './consumed-batch.ts'
import type { Inbound } from './inbound.ts'
import type { ReceivedMessage } from './received-message.ts'
import { errorText, isGone, isUndecodable, Settlement } from './settlement.ts'

const MESSAGES_MAX = 512

export interface ConsumptionOptions<T> {
  readonly reader: Reader
  readonly inbound: Inbound<T>
  readonly messagesMax: number | undefined
  readonly signal: AbortSignal | undefined
  /** A broadcast reader has nothing to acknowledge. */
  readonly isGroup: boolean
  readonly onError: (error: unknown) => void
}

interface InHand<T> {
  readonly batch: Batch
  readonly settlement: Settlement
  readonly open: Map<ReceivedMessage<T>, Delivery>
}

/**
 * Batches for a `for await` loop. Asking for the next one acknowledges the one before; leaving the loop gives back what
 * is in hand, and the delivery count rises all the same, so that a poisonous message cannot come for ever.
 */
export class Consumption<T> implements AsyncIterableIterator<ConsumedBatch<T>> {
  readonly #options: ConsumptionOptions<T>
  readonly #reader: Reader
  #inHand: InHand<T> | undefined
  #isEnded = false

  constructor(options: ConsumptionOptions<T>) {
    this.#options = options
    this.#reader = options.reader
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<ConsumedBatch<T>, undefined>> {
    await this.#acknowledge()
    while (!this.#isEnded) {
      const batch = await this.#read()
      if (batch === undefined) break
      const inHand = await this.#open(batch)
      this.#inHand = inHand
      if (inHand.open.size > 0) return { done: false, value: new ConsumedBatch<T>(batch, inHand) }
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
    if (inHand !== undefined && this.#options.isGroup) await this.#giveBack(inHand)
    await this.#reader.close()
  }

  async #read(): Promise<Batch | undefined> {
    const { signal, messagesMax } = this.#options
    try {
      const limits = { maxMessages: messagesMax ?? MESSAGES_MAX }
      return (await this.#reader.read(signal === undefined ? limits : { ...limits, signal })) ?? undefined
    } catch (error) {
      if (this.#isEnded) return undefined
      throw error
    }
  }

  async #open(batch: Batch): Promise<InHand<T>> {
    const settlement = new Settlement(this.#reader)
    const open = new Map<ReceivedMessage<T>, Delivery>()
    for (const delivery of batch.deliveries) {
      try {
        const message = await this.#options.inbound.open(delivery)
        if (message !== undefined) open.set(message, delivery)
      } catch (error) {
        this.#options.onError(error)
        if (!this.#options.isGroup) continue
        settlement.settle([delivery], isUndecodable(error) ? 'dead' : 'retry', { error: errorText(error) })
      }
    }
    return { batch, settlement, open }
  }

  async #acknowledge(): Promise<void> {
    const inHand = this.#inHand
    this.#inHand = undefined
    if (inHand === undefined || !this.#options.isGroup) return
    try {
      await inHand.settlement.acknowledge(inHand.batch)
    } catch (error) {
      if (!isGone(error)) throw error
    }
  }

  async #giveBack({ settlement, open }: InHand<T>): Promise<void> {
    settlement.settle([...open.values()], 'retry', {
      delayMs: 0,
      error: 'The loop was left before it was acknowledged',
    })
    await settlement.done().catch((error: unknown) => {
      if (!isGone(error)) throw error
    })
  }
}
