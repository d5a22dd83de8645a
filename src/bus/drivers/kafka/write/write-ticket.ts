import { type Message, type Position, type Receipt, WriteError } from '../../../index.ts'

const NOTHING: readonly never[] = Object.freeze([])

/** What became of messages of one `write()` in one partition; they are told of in order. */
export type PartOutcome =
  | { readonly kind: 'stored'; readonly lastOffset: number }
  | { readonly kind: 'refused' | 'unknown'; readonly cause: unknown }

interface PartTally {
  stored: number
  unknown: number
  lastOffset: number
}

export interface WriteTicketParts {
  readonly topic: string
  readonly batch: readonly Message[]
  readonly partitionOf: (message: Message) => number
  readonly receipt: Pick<Receipt, 'durability' | 'asserted'>
}

/** Counts what comes back of one `write()` from its partitions, and settles its one promise when all have. */
export class WriteTicket {
  readonly promise: Promise<Receipt>
  readonly #parts: WriteTicketParts
  readonly #tallies = new Map<number, PartTally>()
  readonly #resolve: (receipt: Receipt) => void
  readonly #reject: (error: unknown) => void
  #left: number
  #cause: unknown

  constructor(parts: WriteTicketParts) {
    const { promise, resolve, reject } = Promise.withResolvers<Receipt>()
    this.promise = promise
    this.#resolve = resolve
    this.#reject = reject
    this.#parts = parts
    this.#left = parts.batch.length
    if (this.#left === 0) this.#settle()
  }

  tell(partition: number, count: number, outcome: PartOutcome): void {
    let tally = this.#tallies.get(partition)
    if (tally === undefined) {
      tally = { stored: 0, unknown: 0, lastOffset: -1 }
      this.#tallies.set(partition, tally)
    }
    if (outcome.kind === 'stored') {
      tally.stored += count
      tally.lastOffset = outcome.lastOffset
    } else {
      if (outcome.kind === 'unknown') tally.unknown += count
      this.#cause ??= outcome.cause
    }
    this.#left -= count
    if (this.#left === 0) this.#settle()
  }

  #settle(): void {
    if (this.#cause !== undefined) {
      this.#reject(this.#error())
      return
    }
    const positions: Position[] = []
    for (const [partition, { lastOffset }] of this.#tallies) positions.push({ partition, sequence: lastOffset })
    const { batch, receipt } = this.#parts
    this.#resolve({ positions, accepted: batch.length, duplicates: NOTHING, conflated: NOTHING, ...receipt })
  }

  /** In each partition the first ones were stored, the next are unknown, the rest were refused: lanes keep the order. */
  #error(): WriteError {
    const { batch, partitionOf, topic } = this.#parts
    const accepted: number[] = []
    const unknown: number[] = []
    const seen = new Map<number, number>()
    for (const [index, message] of batch.entries()) {
      const partition = partitionOf(message)
      const place = seen.get(partition) ?? 0
      seen.set(partition, place + 1)
      const tally = this.#tallies.get(partition)!
      if (place < tally.stored) accepted.push(index)
      else if (place < tally.stored + tally.unknown) unknown.push(index)
    }
    const cause = this.#cause
    const state = cause instanceof Error ? cause.message : String(cause)
    const failed = batch.length - accepted.length
    return new WriteError(`Cannot store ${failed} of ${batch.length} messages in "${topic}": ${state}`, {
      accepted,
      unknown,
      cause,
      retryable: unknown.length === 0 && (cause as { retryable?: boolean }).retryable === true,
    })
  }
}
