/** What was handed out to be applied and not yet reported as applied, by batches, oldest first. */
export class ApplyWindow {
  readonly #bytesMax: number
  #batches: Array<{ readonly lastIndex: number; readonly bytes: number }> = []
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** How many bytes may be handed out now; not above 0 when it is full. */
  get room(): number {
    return this.#bytesMax - this.#bytes
  }

  handedOut(lastIndex: number, bytes: number): void {
    this.#batches.push({ lastIndex, bytes })
    this.#bytes += bytes
  }

  applied(index: number): void {
    let count = 0
    for (; count < this.#batches.length && this.#batches[count]!.lastIndex <= index; count += 1) {
      this.#bytes -= this.#batches[count]!.bytes
    }
    this.#batches.splice(0, count)
  }
}
