import { IdMemory } from './id-memory.ts'

/**
 * The ids appended within the last `windowMs`, each with its offset. Forgets by age, oldest first; entries lie in
 * parallel arrays so that an id costs one map entry and no object.
 */
export class IdWindow {
  readonly #windowMs: number
  readonly #memory: IdMemory
  readonly #offsets = new Map<string, number>()
  #ids: string[] = []
  #timesMs: number[] = []
  #places: number[] = []
  #head = 0
  #heldBytes = 0

  constructor(windowMs: number, memory = new IdMemory(Number.POSITIVE_INFINITY)) {
    this.#windowMs = windowMs
    this.#memory = memory
  }

  /** What it takes of the memory. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  get size(): number {
    return this.#offsets.size
  }

  /** The offset of the id, or undefined when it is new. */
  find(id: string): number | undefined {
    return this.#offsets.get(id)
  }

  add(id: string, entry: { readonly offset: number; readonly atMs: number }): void {
    this.#offsets.set(id, entry.offset)
    this.#ids.push(id)
    this.#timesMs.push(entry.atMs)
    this.#places.push(entry.offset)
    this.#hold(bytesOf(id))
  }

  /** Nothing will be asked of it any more. */
  close(): void {
    this.#hold(-this.#heldBytes)
  }

  /** For an append that failed: its ids were never stored. */
  forget(id: string): void {
    this.#offsets.delete(id)
  }

  expire(nowMs: number): void {
    const oldestMs = nowMs - this.#windowMs
    while (this.#head < this.#ids.length && this.#timesMs[this.#head]! < oldestMs) {
      const id = this.#ids[this.#head]!
      // An id forgotten and appended again later has a newer entry, which stays.
      if (this.#offsets.get(id) === this.#places[this.#head]) this.#offsets.delete(id)
      this.#hold(-bytesOf(id))
      this.#head += 1
    }
    if (this.#head > 1_024 && this.#head * 2 > this.#ids.length) this.#shrink()
  }

  /** Every id remembered, oldest first. */
  *entries(): Generator<readonly [id: string, offset: number, atMs: number]> {
    for (let index = this.#head; index < this.#ids.length; index += 1) {
      const id = this.#ids[index]!
      const offset = this.#places[index]!
      if (this.#offsets.get(id) === offset) yield [id, offset, this.#timesMs[index]!]
    }
  }

  #hold(bytes: number): void {
    this.#heldBytes += bytes
    this.#memory.heldBytes += bytes
  }

  #shrink(): void {
    this.#ids = this.#ids.slice(this.#head)
    this.#timesMs = this.#timesMs.slice(this.#head)
    this.#places = this.#places.slice(this.#head)
    this.#head = 0
  }
}

/** A text of one byte a character, its entry in the map at the usual load, and its places in three arrays. */
function bytesOf(id: string): number {
  return 128 + id.length
}
