/** What a producer's batch came to: enough to answer it again. */
export interface ProducedBatch {
  readonly sequence: number
  readonly lastOffset: number
  readonly accepted: number
  /** Undefined for a batch recalled after a restart: its stored records tell them, together with what is resent. */
  readonly duplicates: readonly number[] | undefined
}

/**
 * The latest batches of each producer in one partition, so that one resent after a broken connection is answered and
 * not stored again. Bounded: a producer may resend what lies within its last `batchesMax`; the producer unused for the
 * longest time is forgotten when there are more than `producersMax`.
 */
export class ProducerWindow {
  readonly #batchesMax: number
  readonly #producersMax: number
  readonly #producers = new Map<number, ProducedBatch[]>()

  constructor(limits: { readonly batchesMax: number; readonly producersMax: number }) {
    this.#batchesMax = limits.batchesMax
    this.#producersMax = limits.producersMax
  }

  /**
   * The batch with that sequence; undefined for a new one; `refused` when later ones were stored but not this;
   * `forgotten` when it is older than everything remembered, or beside a recalled one: a batch that stored nothing, being
   * all repeats, is not recalled.
   */
  find(producerId: number, sequence: number): ProducedBatch | 'refused' | 'forgotten' | undefined {
    const batches = this.#producers.get(producerId)
    if (batches === undefined || sequence > batches.at(-1)!.sequence) return undefined
    if (sequence < batches[0]!.sequence) return 'forgotten'
    const index = batches.findIndex((batch) => batch.sequence >= sequence)
    const next = batches[index]!
    if (next.sequence === sequence) return next
    const isWithinRecalled = next.duplicates === undefined || batches[index - 1]!.duplicates === undefined
    return isWithinRecalled ? 'forgotten' : 'refused'
  }

  /** In any order: an answer may overtake that of an earlier batch, which waits for a repeat's first writing. */
  add(producerId: number, batch: ProducedBatch): void {
    const batches = this.#producers.get(producerId) ?? []
    const before = batches.findLastIndex((other) => other.sequence < batch.sequence)
    batches.splice(before + 1, 0, batch)
    if (batches.length > this.#batchesMax) batches.shift()
    // Deleting and setting moves the producer to the end: the map's order is the order of use.
    this.#producers.delete(producerId)
    this.#producers.set(producerId, batches)
    if (this.#producers.size > this.#producersMax) this.#producers.delete(this.#producers.keys().next().value!)
  }

  *entries(): Generator<readonly [producerId: number, batches: readonly ProducedBatch[]]> {
    yield* this.#producers
  }
}
