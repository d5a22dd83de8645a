import { SkeinError } from '../../../core/index.ts'

/**
 * Generations of a group reader across connections. A node counts anew for every connection; here they only rise, so
 * that an acknowledgment of what came over an earlier connection is told from one of the present.
 */
export class Generations {
  #base = 0
  #highest = 0

  get current(): number {
    return this.#highest
  }

  nextConnection(): void {
    this.#base = this.#highest + 1
    this.#highest = this.#base
  }

  fromNode(generation: number): number {
    const here = this.#base + generation
    if (here > this.#highest) this.#highest = here
    return here
  }

  /** Throws `revoked` for one of an earlier connection. */
  toNode(generation: number | undefined): number | undefined {
    if (generation === undefined) return undefined
    if (generation < this.#base) throw revoked('the connection over which it came has ended')
    return generation - this.#base
  }
}

export function revoked(why: string): SkeinError {
  return new SkeinError('revoked', `Cannot settle this batch: ${why}; it is delivered again`, { retryable: false })
}
