/** What a producer's batch came to: enough to answer it again. */
export interface ProducedBatch {
  readonly sequence: number
  readonly lastOffset: number
  readonly accepted: number
  /** Undefined for a batch recalled after a restart: its stored records tell them, together with what is resent. */
  readonly duplicates: readonly number[] | undefined
}

export interface ProducerLimits {
  readonly batchesMax: number
  readonly batchesMin: number
  readonly producersMax: number
  readonly entriesMax: number
}

const SHORTENED_SHARE = 0.75

/**
 * The latest batches of each producer in one partition, so that one resent after a broken connection is answered and
 * not stored again. Bounded: a producer may resend what lies within its last `batchesMax`; the producer unused for the
 * longest time is forgotten when there are more than `producersMax`. Where all of them together come to more than
 * `entriesMax`, those unused for longer keep only their last `batchesMin`.
 */
export class ProducerWindow {
  readonly #limits: ProducerLimits
  readonly #producers = new Map<number, ProducedBatch[]>()
  #entries = 0
  /** Above this number of batches it is tried to shorten; it rises where nothing could be. */
  #shortenAbove: number

  constructor(limits: ProducerLimits) {
    this.#limits = limits
    this.#shortenAbove = limits.entriesMax
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
    this.#entries += 1
    this.#keepLast(batches, this.#limits.batchesMax)
    // Deleting and setting moves the producer to the end: the map's order is the order of use.
    this.#producers.delete(producerId)
    this.#producers.set(producerId, batches)
    if (this.#producers.size > this.#limits.producersMax) this.#forget(this.#producers.keys().next().value!)
    if (this.#entries > this.#shortenAbove) this.#shorten()
  }

  #keepLast(batches: ProducedBatch[], count: number): void {
    this.#entries -= batches.splice(0, batches.length - count).length
  }

  #forget(producerId: number): void {
    this.#entries -= this.#producers.get(producerId)!.length
    this.#producers.delete(producerId)
  }

  /** Down to well below the bound, so that it is rare. */
  #shorten(): void {
    const { entriesMax, batchesMin } = this.#limits
    for (const batches of this.#producers.values()) {
      if (this.#entries <= entriesMax * SHORTENED_SHARE) break
      if (batches.length > batchesMin) this.#keepLast(batches, batchesMin)
    }
    this.#shortenAbove = Math.max(entriesMax, this.#entries / SHORTENED_SHARE)
  }

  *entries(): Generator<readonly [producerId: number, batches: readonly ProducedBatch[]]> {
    yield* this.#producers
  }
}
