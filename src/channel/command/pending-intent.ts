import type { Addressee } from './command-record.ts'
import type { StoredOutcome } from './outcome.ts'

/** One intent at the sender: who it was sent to, what is known of each, and who waits. Pure state, no I/O. */
export class PendingIntent {
  readonly intentId: string
  readonly bodyHash: string
  readonly type: string
  /** Absolute, node time; never another for the same intent. */
  readonly deadlineMs: number
  readonly #addressees = new Map<string, Addressee>()
  readonly #outcomes = new Map<string, StoredOutcome>()
  readonly #waiters = new Set<() => void>()

  constructor(intent: { intentId: string; bodyHash: string; type: string; deadlineMs: number }) {
    this.intentId = intent.intentId
    this.bodyHash = intent.bodyHash
    this.type = intent.type
    this.deadlineMs = intent.deadlineMs
  }

  /** Adds agents; those that it was sent to already keep the epoch they were sent to first. Returns the new ones. */
  add(addressees: readonly Addressee[]): readonly Addressee[] {
    const added = addressees.filter((each) => !this.#addressees.has(each.agentId))
    for (const each of added) this.#addressees.set(each.agentId, each)
    return added
  }

  addressee(agentId: string): Addressee | undefined {
    return this.#addressees.get(agentId)
  }

  /** Agents of which nothing is known yet. */
  get unanswered(): readonly string[] {
    return [...this.#addressees.keys()].filter((agentId) => !this.#outcomes.has(agentId))
  }

  outcome(agentId: string): StoredOutcome | undefined {
    return this.#outcomes.get(agentId)
  }

  get outcomes(): ReadonlyMap<string, StoredOutcome> {
    return this.#outcomes
  }

  /** The first outcome stands; only what was not known gives way to what is. */
  report(agentId: string, outcome: StoredOutcome): void {
    const known = this.#outcomes.get(agentId)
    if (known !== undefined && known.state !== 'unknown') return
    this.#outcomes.set(agentId, outcome)
    for (const wake of [...this.#waiters]) wake()
  }

  /** Resolves when all of these agents have an outcome; rejects with `signal.reason`. */
  answered(agentIds: readonly string[], signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = () => {
        if (signal.aborted) settle(() => reject(signal.reason))
        else if (agentIds.every((agentId) => this.#outcomes.has(agentId))) settle(resolve)
      }
      const settle = (end: () => void) => {
        this.#waiters.delete(check)
        signal.removeEventListener('abort', check)
        end()
      }
      this.#waiters.add(check)
      signal.addEventListener('abort', check)
      check()
    })
  }
}
