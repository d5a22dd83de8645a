import type { Batch, Delivery, Reader } from '../../bus/index.ts'
import { namedErrorText } from '../../core/index.ts'
import type { ChunkSet } from '../payload/chunk-assembler.ts'
import { HeldKeys } from './held-keys.ts'
import type { Inbound } from './inbound.ts'
import type { ReceivedMessage } from './received-message.ts'
import { isUndecodable, orderKeyOf, Settlement } from './settlement.ts'
import type { TurnShare } from './turn-share.ts'

/** A return acknowledges the message, a throw is a retry of it. */
export type MessageHandler<T> = (message: ReceivedMessage<T>, context: HandlerContext) => unknown

export interface HandlerContext {
  /** Aborts when the processing is closed; a drain waits instead. */
  readonly signal: AbortSignal
}

export interface PartitionWorkerOptions<T> {
  readonly reader: Reader
  readonly inbound: Inbound<T>
  readonly handler: MessageHandler<T>
  readonly signal: AbortSignal
  readonly turn: TurnShare
  /** Messages of different keys handled at once. */
  readonly concurrency: number
  /** After so many deliveries a message is dead. */
  readonly attemptsMax: number
  /** Waits before a large value is tried once more; over at once when the processing stops. */
  readonly retryDelay: (attempts: number) => Promise<void>
  readonly onError: (error: unknown) => void
}

/** Handles the batches of one partition, one after the other, each message's key in order. */
export class PartitionWorker<T> {
  readonly #options: PartitionWorkerOptions<T>
  readonly #reader: Reader
  readonly #inbound: Inbound<T>
  readonly #handler: MessageHandler<T>
  readonly #context: HandlerContext
  readonly #held = new HeldKeys()
  #settlement: Settlement
  #released: Delivery[] = []
  #generation = -1
  #isStopping = false

  constructor(options: PartitionWorkerOptions<T>) {
    this.#options = options
    this.#reader = options.reader
    this.#inbound = options.inbound
    this.#handler = options.handler
    this.#context = { signal: options.signal }
    this.#settlement = new Settlement(options.reader)
  }

  /** What runs is finished, the rest of the batch in hand is released. */
  stop(): void {
    this.#isStopping = true
  }

  /** Undefined when every handler was synchronous and quick. Never rejects: what fails is settled. */
  handle(batch: Batch): Promise<void> | undefined {
    this.#begin(batch)
    return this.#options.concurrency > 1 ? this.#handleByKey(batch) : this.#handleFrom(batch, 0)
  }

  /** Call it once the batch is handled. Rejects when something could not be settled or acknowledged. */
  finish(batch: Batch): Promise<void> {
    const { chunks } = this.#inbound
    if (!chunks.isEmpty) this.#settleUnfinished(batch.partition, this.#settlement)
    this.#settlement.settle(this.#released, 'release')
    this.#released = []
    return this.#settlement.acknowledge(batch, chunks.isEmpty ? undefined : chunks.leastIncomplete(batch.partition))
  }

  #begin(batch: Batch): void {
    this.#settlement = new Settlement(this.#reader)
    if (batch.generation === this.#generation) return
    this.#generation = batch.generation
    this.#held.clear()
    this.#inbound.chunks.forget(batch.partition)
  }

  #handleFrom(batch: Batch, from: number): Promise<void> | undefined {
    const { deliveries } = batch
    const { turn } = this.#options
    for (let index = from; index < deliveries.length; index += 1) {
      if (turn.isOver) return this.#handleRest(batch, { first: turn.next(), from: index })
      const work = this.#deliver(deliveries[index]!)
      if (work !== undefined) return this.#handleRest(batch, { first: work, from: index + 1 })
    }
    return undefined
  }

  async #handleRest(batch: Batch, rest: { readonly first: Promise<void>; readonly from: number }): Promise<void> {
    const { turn } = this.#options
    await rest.first
    for (let index = rest.from; index < batch.deliveries.length; index += 1) {
      if (turn.isOver) await turn.next()
      const work = this.#deliver(batch.deliveries[index]!)
      if (work !== undefined) await work
    }
  }

  async #handleByKey(batch: Batch): Promise<void> {
    const last = new Map<string, Promise<void>>()
    const running = new Set<Promise<void>>()
    for (const delivery of batch.deliveries) {
      if (this.#options.turn.isOver) await this.#options.turn.next()
      const key = orderKeyOf(delivery)
      const before = last.get(key)
      const work = before === undefined ? this.#deliver(delivery) : before.then(() => this.#deliver(delivery))
      if (work === undefined) continue
      last.set(key, work)
      running.add(work)
      void work.then(() => running.delete(work))
      while (running.size >= this.#options.concurrency) await Promise.race(running)
    }
    await Promise.all(running)
  }

  /** Never throws or rejects: what fails is settled. */
  #deliver(delivery: Delivery): Promise<void> | undefined {
    if (this.#isStopping || this.#mustWait(delivery)) {
      this.#released.push(delivery)
      return undefined
    }
    const message = this.#open(delivery)
    if (message === undefined) return undefined
    if (message instanceof Promise) return this.#deliverFetched(message, delivery)
    const set = this.#inbound.setOf(delivery)
    return set === undefined ? this.#handle(message, delivery) : this.#handleLarge(message, set)
  }

  #mustWait(delivery: Delivery): boolean {
    return !this.#held.isEmpty && this.#held.holdsBack(orderKeyOf(delivery), delivery.position.sequence)
  }

  #open(delivery: Delivery): ReceivedMessage<T> | Promise<ReceivedMessage<T>> | undefined {
    try {
      return this.#inbound.open(delivery)
    } catch (error) {
      this.#undecodable(delivery, error)
      return undefined
    }
  }

  #handle(message: ReceivedMessage<T>, delivery: Delivery): Promise<void> | undefined {
    try {
      const result = this.#handler(message, this.#context)
      if (isPromiseLike(result)) return this.#awaitHandler(result, delivery)
    } catch (error) {
      this.#retry(delivery, error)
    }
    return undefined
  }

  async #awaitHandler(result: PromiseLike<unknown>, delivery: Delivery): Promise<void> {
    try {
      await result
    } catch (error) {
      this.#retry(delivery, error)
    }
  }

  async #deliverFetched(fetched: Promise<ReceivedMessage<T>>, delivery: Delivery): Promise<void> {
    let message: ReceivedMessage<T>
    try {
      message = await fetched
    } catch (error) {
      if (isUndecodable(error)) this.#undecodable(delivery, error)
      else this.#retry(delivery, error)
      return
    }
    await this.#handle(message, delivery)
  }

  /**
   * The chunks of a large value hold each other back as messages of one key, so they are not given back to be delivered
   * again: it is retried here, and the partition waits.
   */
  async #handleLarge(first: ReceivedMessage<T>, set: ChunkSet): Promise<void> {
    const chunks = set.chunks.filter((chunk) => chunk !== undefined)
    let message = first
    for (;;) {
      try {
        await this.#handler(message, this.#context)
        break
      } catch (error) {
        const isDead = message.attempt >= this.#options.attemptsMax
        if (!isDead) await this.#options.retryDelay(message.attempt)
        if (isDead || this.#isStopping) {
          this.#settlement.settle(chunks, isDead ? 'dead' : 'retry', { error: namedErrorText(error) })
          break
        }
        message = message.again()
      }
    }
    this.#inbound.chunks.finish(set)
  }

  #retry(delivery: Delivery, error: unknown): void {
    this.#held.hold(orderKeyOf(delivery), delivery.position.sequence)
    this.#settlement.settle([delivery], 'retry', { error: namedErrorText(error) })
  }

  #undecodable(delivery: Delivery, error: unknown): void {
    const set = this.#inbound.setOf(delivery)
    if (set !== undefined) this.#inbound.chunks.finish(set)
    const deliveries = set?.chunks.filter((chunk) => chunk !== undefined) ?? [delivery]
    this.#settlement.settle(deliveries, 'dead', { error: namedErrorText(error) })
    this.#options.onError(error)
  }

  /** While nothing comes: gives back what has stopped coming, and gives up what was unfinished for too long. */
  tidy(partition: number): Promise<void> {
    const settlement = new Settlement(this.#reader)
    this.#settleUnfinished(partition, settlement)
    return settlement.done()
  }

  #settleUnfinished(partition: number, settlement: Settlement): void {
    const { chunks } = this.#inbound
    for (const { deliveries, error } of chunks.takeDropped(partition)) {
      this.#options.onError(error)
      settlement.settle(deliveries, 'dead', { error: namedErrorText(error) })
    }
    settlement.settle(chunks.takeStalled(partition), 'release')
  }
}

function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
