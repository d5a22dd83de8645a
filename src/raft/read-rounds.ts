import type { NodeId } from './node-id.ts'

/** A follower's request to the leader for a read point. */
export interface RemoteRead {
  readonly from: NodeId
  readonly request: number
}

/** Reads that share one round of heartbeats. */
export interface ReadRound {
  readonly round: number
  /** The commit index when the round began. */
  readonly index: number
  readonly contexts: readonly unknown[]
  readonly remote: readonly RemoteRead[]
}

/**
 * The leader's side of linearizable reads (dissertation, 6.4). What is asked gathers until the next round begins; a
 * round's number is used once, so an acknowledgment of an earlier heartbeat proves nothing about a later read. One of a
 * later heartbeat does prove an earlier read: it was sent after it.
 */
export class ReadRounds {
  readonly #readsMax: number
  #contexts: unknown[] = []
  #remote: RemoteRead[] = []
  #rounds: ReadRound[] = []
  #latest = 0
  #count = 0

  constructor(readsMax: number) {
    this.#readsMax = readsMax
  }

  /** The newest round; 0 before the first. */
  get latest(): number {
    return this.#latest
  }

  /** Reads that wait, in all. */
  get count(): number {
    return this.#count
  }

  get hasRounds(): boolean {
    return this.#rounds.length > 0
  }

  /** Reads wait for a round to begin. */
  get hasGathered(): boolean {
    return this.#contexts.length > 0 || this.#remote.length > 0
  }

  /** False when there is no room. */
  add(context: unknown): boolean {
    if (this.#count >= this.#readsMax) return false
    this.#contexts.push(context)
    this.#count += 1
    return true
  }

  /** False when there is no room. */
  addRemote(read: RemoteRead): boolean {
    if (this.#count >= this.#readsMax) return false
    this.#remote.push(read)
    this.#count += 1
    return true
  }

  /** Begins a round for all that has gathered. */
  begin(index: number): void {
    this.#latest += 1
    this.#rounds.push({ round: this.#latest, index, contexts: this.#contexts, remote: this.#remote })
    this.#contexts = []
    this.#remote = []
  }

  /** The rounds that a quorum has confirmed, through `round`. */
  confirmed(round: number): readonly ReadRound[] {
    let count = 0
    for (; count < this.#rounds.length && this.#rounds[count]!.round <= round; count += 1) {
      this.#count -= this.#rounds[count]!.contexts.length + this.#rounds[count]!.remote.length
    }
    return this.#rounds.splice(0, count)
  }

  /** Gives up everything that waits; returns the contexts of this node's own reads. */
  abort(): unknown[] {
    const aborted = [...this.#rounds.flatMap((round) => round.contexts), ...this.#contexts]
    this.#rounds = []
    this.#contexts = []
    this.#remote = []
    this.#count = 0
    return aborted
  }
}
