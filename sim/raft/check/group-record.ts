import { type Configuration, configuration, decodeConfigChange, type Entry } from '../../../src/raft/index.ts'
import { Violation } from '../violation.ts'
import { afterChange, describeConfiguration } from './quorums.ts'

interface Known {
  readonly entry: Entry
  /** Term of the entry before it. */
  readonly previousTerm: number
}

/** What all nodes together have done so far: facts that may never be contradicted. */
export class GroupRecord {
  /** The highest index that any node called committed. */
  commit = 0
  /** Terms that somebody has campaigned for; a new group begins in the first without. */
  readonly campaigned = new Set([1])
  /** Every entry any log ever held, by index and term. */
  readonly #known = new Map<string, Known>()
  readonly #leaders = new Map<number, number>()
  readonly #votes = new Map<string, number>()
  readonly #committed: Entry[] = []
  readonly #stateHashes = new Map<number, number>()
  readonly #configurations: Array<{ readonly index: number; readonly configuration: Configuration }> = [
    { index: 0, configuration: configuration() },
  ]

  /** Election safety: one leader in a term. */
  leads(id: number, term: number): void {
    const other = this.#leaders.get(term)
    if (other !== undefined && other !== id) {
      throw new Violation('election safety', `nodes ${other} and ${id} both lead term ${term}`)
    }
    this.#leaders.set(term, id)
  }

  get leaderCount(): number {
    return this.#leaders.size
  }

  /** One vote in a term, across restarts. */
  votes(id: number, candidate: number, term: number): void {
    const key = `${id}@${term}`
    const other = this.#votes.get(key)
    if (other !== undefined && other !== candidate) {
      throw new Violation('one vote in a term', `node ${id} voted for ${other} and for ${candidate} in term ${term}`)
    }
    this.#votes.set(key, candidate)
  }

  /**
   * Log matching: the same index and term is the same entry, behind the same predecessor; so, by induction, all that
   * precedes it is the same.
   */
  holds(id: number, entry: Entry, previousTerm: number): void {
    const key = `${entry.index}@${entry.term}`
    const known = this.#known.get(key)
    if (known === undefined) {
      this.#known.set(key, { entry, previousTerm })
      return
    }
    if (known.previousTerm !== previousTerm || !isSame(known.entry, entry)) {
      const what = `node ${id} holds another entry ${entry.index} of term ${entry.term} than a node before it did`
      throw new Violation('log matching', what)
    }
  }

  committedTerm(index: number): number | undefined {
    return index === 0 ? 0 : this.#committed[index - 1]?.term
  }

  committedEntry(index: number): Entry | undefined {
    return this.#committed[index - 1]
  }

  /** A committed entry never changes. True when it is committed for the first time. */
  commits(id: number, entry: Entry): boolean {
    const before = this.#committed[entry.index - 1]
    if (before === undefined) {
      if (entry.index !== this.#committed.length + 1) throw new Error('commits are recorded in order')
      this.#committed.push(entry)
      this.commit = entry.index
      return true
    }
    if (before.term !== entry.term || !isSame(before, entry)) {
      const what = `node ${id} commits entry ${entry.index} of term ${entry.term}; another of term ${before.term} was committed there`
      throw new Violation('a committed entry never changes', what)
    }
    return false
  }

  /** State-machine safety: after the same entry the same state. */
  applies(id: number, entry: Entry, stateHash: number): void {
    const committed = this.#committed[entry.index - 1]
    if (committed === undefined || committed.term !== entry.term) {
      throw new Violation('state-machine safety', `node ${id} applies entry ${entry.index}, which is not committed`)
    }
    this.stateIs(id, entry.index, stateHash)
    if (entry.kind === 'config') this.#extendConfigurations(entry.index)
  }

  stateIs(id: number, index: number, stateHash: number): void {
    const known = this.#stateHashes.get(index)
    if (known === undefined) this.#stateHashes.set(index, stateHash)
    else if (known !== stateHash) {
      throw new Violation('state-machine safety', `node ${id} has another state after entry ${index} than others have`)
    }
  }

  stateHash(index: number): number | undefined {
    return this.#stateHashes.get(index)
  }

  /** As the committed changes through `index` make it. */
  configurationAt(index: number): Configuration {
    this.#extendConfigurations(Math.min(index, this.#committed.length))
    return this.#configurations.findLast((made) => made.index <= index)!.configuration
  }

  #configuredThrough = 0

  #extendConfigurations(through: number): void {
    while (this.#configuredThrough < through) {
      this.#configuredThrough += 1
      const entry = this.#committed[this.#configuredThrough - 1]!
      if (entry.kind !== 'config') continue
      const before = this.#configurations.at(-1)!.configuration
      const after = afterChange(before, decodeConfigChange(entry.data)) ?? before
      this.#configurations.push({ index: entry.index, configuration: after })
    }
  }

  /** The node goes by the configuration of the last change it has applied. */
  configuredAs(id: number, applied: number, actual: Configuration): void {
    const expected = describeConfiguration(this.configurationAt(applied))
    if (describeConfiguration(actual) === expected) return
    const what = `node ${id} has applied entry ${applied} and goes by ${describeConfiguration(actual)}; the log says ${expected}`
    throw new Violation('the configuration is that of the log', what)
  }
}

function isSame(one: Entry, other: Entry): boolean {
  if (one === other) return true
  return one.kind === other.kind && Buffer.compare(one.data, other.data) === 0
}
