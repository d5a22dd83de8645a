/** A transaction that was aborted, as a fetch names it: its producer and the offset of its first record. */
export interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: number
}

/**
 * Tells which batches of a fetch belong to aborted transactions, as the Java client does: the transactions are entered in
 * the order of their first offsets as the batches reach them, and left at the producer's abort marker. One producer may
 * have several, and a marker may come only in a later fetch: whatever a producer wrote from the first offset on is aborted
 * until its marker is seen.
 */
export class AbortedBatches {
  readonly #left: AbortedTransaction[]
  readonly #aborting = new Set<bigint>()

  constructor(transactions: readonly AbortedTransaction[]) {
    this.#left = [...transactions].sort((one, other) => one.firstOffset - other.firstOffset)
  }

  /** Asked of every batch, in order. A control batch is never given; `isAbort` says which kind of marker it is. */
  isAborted(batch: {
    readonly producerId: bigint
    readonly lastOffset: number
    readonly isTransactional: boolean
    readonly isControl: boolean
    readonly isAbort: boolean
  }): boolean {
    while (this.#left.length > 0 && this.#left[0]!.firstOffset <= batch.lastOffset) {
      this.#aborting.add(this.#left.shift()!.producerId)
    }
    if (batch.isControl) {
      if (batch.isAbort) this.#aborting.delete(batch.producerId)
      return false
    }
    return batch.isTransactional && this.#aborting.has(batch.producerId)
  }
}
