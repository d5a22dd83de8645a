/** What the ids of many partitions take together, and how much that may be. */
export class IdMemory {
  readonly bytesMax: number
  heldBytes = 0

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  get isFull(): boolean {
    return this.heldBytes >= this.bytesMax
  }
}
