const EPOCH_MAX = 32_767

/** Under which id, epoch and sequence a lane's next batch is stored; the broker stores each sequence once. */
export class ProducerIdentity {
  producerId = -1n
  epoch = 0
  sequence = 0

  get isKnown(): boolean {
    return this.producerId >= 0n
  }

  begin(identity: { readonly producerId: bigint; readonly epoch: number }): void {
    this.producerId = identity.producerId
    this.epoch = identity.epoch
    this.sequence = 0
  }

  stored(count: number): void {
    this.sequence = (this.sequence + count) % 2 ** 31
  }

  /**
   * After a batch of unknown outcome: the next epoch begins at sequence 0, and the broker refuses what is still under way
   * in the old one. A client may do this by itself (KIP-360); after the last epoch the next batch needs a new id.
   */
  renew(): void {
    this.sequence = 0
    if (this.epoch === EPOCH_MAX) this.producerId = -1n
    else this.epoch += 1
  }
}
