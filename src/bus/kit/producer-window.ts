/** What a producer's batch came to: enough to answer it again. */
export interface ProducedBatch {
  readonly sequence: number
  readonly lastOffset: number
  readonly accepted: number
  readonly duplicates: readonly number[]
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
   * `forgotten` when it is older than everything remembered.
   */
  find(producerId: number, sequence: number): ProducedBatch | 'refused' | 'forgotten' | undefined {
    const batches = this.#producers.get(producerId)
    if (batches === undefined || sequence > batches.at(-1)!.sequence) return undefined
    if (sequence < batches[0]!.sequence) return 'forgotten'
    return batches.find((batch) => batch.sequence === sequence) ?? 'refused'
  }

  add(producerId: number, batch: ProducedBatch): void {
    const batches = this.#producers.get(producerId) ?? []
    batches.push(batch)
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
