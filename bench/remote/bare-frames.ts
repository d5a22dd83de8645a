/** Cuts a stream into frames of a four-byte length and that many bytes; the length stays in front. */
export class FrameReader {
  readonly #onFrame: (frame: Buffer) => void
  #parts: Buffer[] = []
  #bytes = 0
  #wanted = 4

  constructor(onFrame: (frame: Buffer) => void) {
    this.#onFrame = onFrame
  }

  add(bytes: Buffer): void {
    this.#parts.push(bytes)
    this.#bytes += bytes.length
    while (this.#bytes >= this.#wanted) {
      const all = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts)
      this.#parts = [all]
      const length = 4 + all.readUInt32BE(0)
      this.#wanted = length
      if (this.#bytes < length) return
      this.#onFrame(all.subarray(0, length))
      this.#parts = [all.subarray(length)]
      this.#bytes -= length
      this.#wanted = 4
    }
  }
}
