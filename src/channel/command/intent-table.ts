import type { CommandRecord } from './command-record.ts'
import type { StoredOutcome } from './outcome.ts'
import type { Sighting } from './undelivered.ts'

/** One command to one agent, as the node saw it go by. */
export interface WatchedCommand {
  readonly agentId: string
  readonly sentEpoch: number
  readonly held: boolean
  /** When it was appended, node time. */
  readonly sentAtMs: number
  /** The agent as the roster had it then. */
  readonly sighting: Sighting | undefined
}

/** What a node remembers of one intent. */
export interface WatchedIntent {
  readonly intentId: string
  readonly sender: string
  readonly type: string
  readonly bodyHash: string
  /** Of the first record seen; every resend has the same. */
  readonly deadlineMs: number
  readonly commands: Map<string, WatchedCommand>
}

interface Entry {
  intent: WatchedIntent | undefined
  readonly outcomes: Map<string, StoredOutcome>
}

/** Intents and their outcomes, the newest up to a bound. Pure state. */
export class IntentTable {
  readonly #entriesMax: number
  /** Oldest first. */
  readonly #entries = new Map<string, Entry>()

  constructor(options: { readonly entriesMax: number }) {
    this.#entriesMax = options.entriesMax
  }

  /** Notes a command that was written. True when its intent was not known before. */
  sent(record: CommandRecord, body: { readonly hash: string }, commands: readonly WatchedCommand[]): boolean {
    const entry = this.#entry(record.intentId)
    const isNew = entry.intent === undefined
    entry.intent ??= {
      intentId: record.intentId,
      sender: record.sender,
      type: record.type,
      bodyHash: body.hash,
      deadlineMs: record.deadlineMs,
      commands: new Map(),
    }
    // Another body under the same id is no part of this intent: its receiver refuses it.
    if (entry.intent.bodyHash !== body.hash) return false
    for (const command of commands) {
      if (!entry.intent.commands.has(command.agentId)) entry.intent.commands.set(command.agentId, command)
    }
    return isNew
  }

  report(intentId: string, agentId: string, outcome: StoredOutcome): void {
    const { outcomes } = this.#entry(intentId)
    const known = outcomes.get(agentId)
    // The refusal of another body under the same id says nothing about this one.
    if (known !== undefined && (known.state !== 'unknown' || outcome.reason === 'intent-reused')) return
    outcomes.set(agentId, outcome)
  }

  intent(intentId: string): WatchedIntent | undefined {
    return this.#entries.get(intentId)?.intent
  }

  outcomes(intentId: string): ReadonlyMap<string, StoredOutcome> {
    return this.#entries.get(intentId)?.outcomes ?? NONE
  }

  /** Commands of this intent of which nothing was heard. */
  unanswered(intentId: string): readonly WatchedCommand[] {
    const entry = this.#entries.get(intentId)
    if (entry?.intent === undefined) return []
    return [...entry.intent.commands.values()].filter((command) => !entry.outcomes.has(command.agentId))
  }

  get size(): number {
    return this.#entries.size
  }

  #entry(intentId: string): Entry {
    const known = this.#entries.get(intentId)
    if (known !== undefined) return known
    const entry: Entry = { intent: undefined, outcomes: new Map() }
    this.#entries.set(intentId, entry)
    if (this.#entries.size > this.#entriesMax) this.#entries.delete(this.#entries.keys().next().value!)
    return entry
  }
}

const NONE: ReadonlyMap<string, StoredOutcome> = new Map()
