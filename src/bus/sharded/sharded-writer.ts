import { ClosedError, SkeinError } from '../../core/index.ts'
import type { Bus, Receipt, Writer, WriterOptions } from '../bus.ts'
import { WriteError } from '../errors.ts'
import { WriteGate } from '../kit/index.ts'
import type { Message, Position } from '../message.ts'
import type { Generation, Part } from './generations.ts'
import { counts, outerPartition, type ShardedTopic } from './sharded-topic.ts'
import { type Share, sharesOf } from './shares.ts'

const PENDING_BYTES_MAX = 8 * 1024 * 1024
/** What a message takes beside its value and names. */
const MESSAGE_BYTES = 64

export interface ShardedWriterParts {
  readonly bus: Bus
  readonly topic: ShardedTopic
  readonly onClosed: () => void
}

interface Held {
  readonly batch: readonly Message[]
  readonly resolve: (receipt: Promise<Receipt>) => void
  readonly reject: (error: unknown) => void
}

/** The writers of one generation's parts. */
interface Target {
  readonly generation: Generation
  readonly writers: ReadonlyMap<Part, Writer>
}

/**
 * Writes to the generation that is open. What comes while one is closing waits for the next; before that has begun,
 * everything of this writer in the last one is settled, so that nothing of a key overtakes what came before it.
 */
export class ShardedWriter implements Writer {
  readonly #bus: Bus
  readonly #topic: ShardedTopic
  readonly #parts: ShardedWriterParts
  readonly #options: WriterOptions
  readonly #gate: WriteGate
  readonly #closing = new AbortController()
  #held: Held[] = []
  #target: Target | undefined
  #inFlight = 0
  #isMoving = false
  #settled = Promise.withResolvers<void>()

  /** Throws what the bus throws that cannot give what the options ask for. */
  constructor(parts: ShardedWriterParts, options: WriterOptions = {}) {
    const { bus, topic } = parts
    this.#bus = bus
    this.#topic = topic
    this.#parts = parts
    this.#options = options
    this.#gate = new WriteGate(`"${topic.name}"`, options.pendingBytesMax ?? PENDING_BYTES_MAX)
    const { open } = topic.generations
    if (open !== undefined && topic.isReady(open)) this.#target = this.#targetOf(open)
  }

  #targetOf(generation: Generation): Target {
    const writerOf = (part: Part) => this.#bus.writer(this.#topic.innerName(part), this.#options)
    return { generation, writers: new Map(generation.parts.map((part) => [part, writerOf(part)])) }
  }

  get full(): boolean {
    return this.#gate.full || this.#writers().some((writer) => writer.full)
  }

  #writers(): Writer[] {
    return [...(this.#target?.writers.values() ?? [])]
  }

  write(batch: readonly Message[]): Promise<Receipt> {
    const refusal = this.#gate.refusal()
    if (refusal !== undefined) return Promise.reject(refusal)
    const bytes = bytesOf(batch)
    this.#gate.enter(bytes)
    return this.#enter(batch).finally(() => this.#gate.leave(bytes))
  }

  #enter(batch: readonly Message[]): Promise<Receipt> {
    if (this.#held.length === 0 && this.#target !== undefined && this.#isOpen(this.#target)) {
      return this.#send(this.#target, batch)
    }
    return new Promise((resolve, reject) => {
      this.#held.push({ batch, resolve, reject })
      this.#move()
    })
  }

  #isOpen({ generation }: Target): boolean {
    return this.#topic.generations.open?.number === generation.number
  }

  /** Sends on what is held, once a generation is open and what went to the one before is settled. */
  #move(): void {
    if (this.#isMoving) return
    this.#isMoving = true
    this.#moveAll()
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#isMoving = false
        if (this.#held.length > 0) this.#move()
      })
  }

  async #moveAll(): Promise<void> {
    const { signal } = this.#closing
    while (this.#held.length > 0) {
      const open = this.#topic.generations.open
      if (open === undefined) {
        await this.#topic.nothingClosing(signal)
      } else if (this.#target?.generation.number !== open.number) {
        while (this.#inFlight > 0) await this.#settled.promise
        if (this.#held.length > 0) await this.#moveTo(open)
      } else {
        const { writers } = this.#target
        for (const writer of writers.values()) await writer.drained({ signal })
        const next = this.#held.shift()
        if (next !== undefined) next.resolve(this.#send(this.#target, next.batch))
      }
    }
  }

  async #moveTo(generation: Generation): Promise<void> {
    await Promise.all(this.#writers().map((writer) => writer.close()))
    this.#target = undefined
    await this.#topic.openParts(generation)
    this.#target = this.#targetOf(generation)
  }

  async #send(target: Target, batch: readonly Message[]): Promise<Receipt> {
    const { number } = target.generation
    this.#inFlight += 1
    try {
      const shares = sharesOf(batch, (subject) => this.#topic.partOf(target.generation, subject))
      const results = await Promise.allSettled(
        shares.map(({ part, messages }) => target.writers.get(part)!.write(messages)),
      )
      const generation = this.#topic.isCertain(number)
        ? target.generation
        : await this.#topic.known(number, this.#closing.signal).catch((error: unknown) => new Unknown(error))
      return combine({ topic: this.#topic.name, batch, shares, results, generation })
    } catch (error) {
      if (error instanceof WriteError && error.unknown.length > 0) this.#refuseHeld(error)
      throw error
    } finally {
      this.#inFlight -= 1
      if (this.#inFlight === 0) {
        this.#settled.resolve()
        this.#settled = Promise.withResolvers()
      }
    }
  }

  /** Behind what may or may not be stored nothing of this writer is stored. */
  #refuseHeld(cause: WriteError): void {
    const text = `Cannot write to "${this.#topic.name}": a batch before this one may or may not be stored; write it again`
    this.#fail(new WriteError(text, { accepted: [], unknown: [], cause, retryable: true }))
  }

  #fail(error: unknown): void {
    for (const { reject } of this.#held.splice(0)) reject(error)
  }

  async drained(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await this.#gate.wait('room', options.signal)
    await Promise.all(this.#writers().map((writer) => writer.drained(options)))
  }

  async drain(): Promise<void> {
    this.#gate.close()
    await this.#gate.wait('empty')
    await Promise.all(this.#writers().map((writer) => writer.drain()))
    this.#parts.onClosed()
  }

  async close(): Promise<void> {
    this.#gate.close()
    const closed = new ClosedError(`the writer of "${this.#topic.name}"`)
    this.#fail(closed)
    this.#closing.abort(closed)
    await Promise.all(this.#writers().map((writer) => writer.close()))
    this.#parts.onClosed()
  }
}

/** It could not be learned whether what was written counts. */
class Unknown {
  readonly cause: unknown
  constructor(cause: unknown) {
    this.cause = cause
  }
}

interface Written {
  readonly topic: string
  readonly batch: readonly Message[]
  readonly shares: readonly Share[]
  readonly results: readonly PromiseSettledResult<Receipt>[]
  readonly generation: Generation | Unknown
}

/** One answer for the batch, in its own indexes and the whole topic's partitions. */
function combine(written: Written): Receipt {
  const { shares, results, generation } = written
  if (results.length === 1 && results[0]!.status === 'rejected' && isRefusal(results[0]!.reason))
    throw results[0]!.reason
  const accepted: number[] = []
  const unknown: number[] = []
  const receipts: Receipt[] = []
  let failure: unknown = generation instanceof Unknown ? generation.cause : undefined
  shares.forEach(({ part, indexes }, at) => {
    const result = results[at]!
    const took = result.status === 'fulfilled' ? result.value : undefined
    if (took !== undefined && isCounted(took.positions, part, generation)) {
      receipts.push(outerReceipt(took, { part, indexes }))
      accepted.push(...indexes)
      return
    }
    if (result.status === 'rejected') failure ??= result.reason
    const error = result.status === 'rejected' && result.reason instanceof WriteError ? result.reason : undefined
    const stored = error?.accepted.map((index) => indexes[index]!) ?? []
    unknown.push(...(took === undefined ? (error?.unknown.map((index) => indexes[index]!) ?? []) : indexes))
    // Where they are stored is not known, so neither is whether they count once the generation has an end.
    if (generation instanceof Unknown || generation.state === 'sealed') unknown.push(...stored)
    else accepted.push(...stored)
  })
  if (receipts.length === shares.length) return together(receipts)
  throw failed(written, { accepted, unknown, failure })
}

/** Nothing of it was sent. */
function isRefusal(error: unknown): boolean {
  return !(error instanceof WriteError)
}

function isCounted(positions: readonly Position[], part: Part, generation: Generation | Unknown): boolean {
  if (generation instanceof Unknown) return false
  return positions.every(({ partition, sequence }) => {
    return counts(generation, { partition: outerPartition(part, partition), sequence })
  })
}

function outerReceipt(receipt: Receipt, { part, indexes }: Pick<Share, 'part' | 'indexes'>): Receipt {
  return {
    ...receipt,
    positions: receipt.positions.map(({ partition, sequence }) => {
      return { partition: outerPartition(part, partition), sequence }
    }),
    duplicates: receipt.duplicates.map((index) => indexes[index]!),
    conflated: receipt.conflated.map((index) => indexes[index]!),
  }
}

function together(receipts: readonly Receipt[]): Receipt {
  if (receipts.length === 1) return receipts[0]!
  return {
    // Every part was opened with the same settings.
    ...receipts[0]!,
    positions: receipts.flatMap(({ positions }) => positions),
    accepted: receipts.reduce((sum, { accepted }) => sum + accepted, 0),
    duplicates: receipts.flatMap(({ duplicates }) => duplicates),
    conflated: receipts.flatMap(({ conflated }) => conflated),
    asserted: receipts.some(({ asserted }) => asserted),
  }
}

function failed(
  { topic, batch }: Written,
  of: { readonly accepted: number[]; readonly unknown: number[]; readonly failure: unknown },
): WriteError {
  const { accepted, unknown, failure } = of
  const why =
    failure === undefined
      ? 'the topic grew while they were written'
      : failure instanceof Error
        ? failure.message
        : String(failure)
  const retryable = failure === undefined || (failure instanceof SkeinError && failure.retryable)
  return new WriteError(
    `Cannot write ${batch.length} messages to "${topic}": ${accepted.length} are stored, of ${unknown.length} it is not known: ${why}`,
    { accepted: accepted.sort(ascending), unknown: unknown.sort(ascending), cause: failure, retryable },
  )
}

const ascending = (one: number, other: number) => one - other

function bytesOf(batch: readonly Message[]): number {
  let bytes = 0
  for (const { value, subject, key } of batch) {
    bytes += MESSAGE_BYTES + subject.length + (key?.length ?? 0) + (value?.length ?? 0)
  }
  return bytes
}
