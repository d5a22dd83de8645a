import type { Random } from '../core/index.ts'

/** Requests begin somewhere below this, so that 2⁵³ is never reached. */
const FIRST_REQUEST_MAX = 2 ** 52

interface Forwarded {
  readonly request: number
  readonly contexts: readonly unknown[]
  ageTicks: number
}

/**
 * A follower's side of linearizable reads: what it asked the leader and has no answer to. Requests are numbered from a
 * random start, so that an answer to what this node asked before a restart is not taken for one to what it asks now.
 */
export class ForwardedReads {
  readonly #readsMax: number
  #nextRequest: number
  #gathered: unknown[] = []
  #sent: Forwarded[] = []
  #count = 0

  constructor(readsMax: number, random: Random) {
    this.#readsMax = readsMax
    this.#nextRequest = 1 + Math.floor(random.float() * FIRST_REQUEST_MAX)
  }

  get count(): number {
    return this.#count
  }

  get hasGathered(): boolean {
    return this.#gathered.length > 0
  }

  /** False when there is no room. */
  add(context: unknown): boolean {
    if (this.#count >= this.#readsMax) return false
    this.#gathered.push(context)
    this.#count += 1
    return true
  }

  /** One request for all that has gathered. */
  send(): number {
    const request = this.#nextRequest
    this.#nextRequest += 1
    this.#sent.push({ request, contexts: this.#gathered, ageTicks: 0 })
    this.#gathered = []
    return request
  }

  /** The contexts that asked for it; none when nobody does any more. */
  answered(request: number): readonly unknown[] {
    const at = this.#sent.findIndex((sent) => sent.request === request)
    if (at === -1) return []
    const [sent] = this.#sent.splice(at, 1)
    this.#count -= sent!.contexts.length
    return sent!.contexts
  }

  /** A tick passed; returns the contexts that have waited for `ticksMax`: their request or its answer was lost. */
  tick(ticksMax: number): readonly unknown[] {
    for (const sent of this.#sent) sent.ageTicks += 1
    let count = 0
    while (count < this.#sent.length && this.#sent[count]!.ageTicks >= ticksMax) count += 1
    const expired = this.#sent.splice(0, count).flatMap((sent) => sent.contexts)
    this.#count -= expired.length
    return expired
  }

  abort(): unknown[] {
    const aborted = [...this.#sent.flatMap((sent) => sent.contexts), ...this.#gathered]
    this.#sent = []
    this.#gathered = []
    this.#count = 0
    return aborted
  }
}
