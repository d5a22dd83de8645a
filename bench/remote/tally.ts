/** Counts what came by its sequence number: each once, in ascending order per agent. */
export class Tally {
  readonly #seen: Uint8Array
  readonly #lastOfAgent = new Map<string, number>()
  count = 0
  repeated = 0
  reordered = 0

  constructor(expected: number) {
    this.#seen = new Uint8Array(expected)
  }

  add(sequence: number, agentId: string): void {
    if (this.#seen[sequence] === 1) {
      this.repeated += 1
      return
    }
    this.#seen[sequence] = 1
    this.count += 1
    if (sequence < (this.#lastOfAgent.get(agentId) ?? -1)) this.reordered += 1
    else this.#lastOfAgent.set(agentId, sequence)
  }

  get isWhole(): boolean {
    return this.count === this.#seen.length
  }
}
