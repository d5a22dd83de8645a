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

/** Intents and their outcomes, the newest up to a bound of commands. Pure state. */
export class IntentTable {
  readonly #commandsMax: number
  /** Oldest first. */
  readonly #entries = new Map<string, Entry>()
  #commands = 0

  constructor(options: { readonly commandsMax: number }) {
    this.#commandsMax = options.commandsMax
  }

  /** Notes a command that was written. */
  sent(record: CommandRecord, body: { readonly hash: string }, commands: readonly WatchedCommand[]): void {
    const entry = this.#entry(record.intentId)
    entry.intent ??= {
      intentId: record.intentId,
      sender: record.sender,
      type: record.type,
      bodyHash: body.hash,
      deadlineMs: record.deadlineMs,
      commands: new Map(),
    }
    // Another body under the same id is no part of this intent: its receiver refuses it.
    if (entry.intent.bodyHash !== body.hash) return
    for (const command of commands) {
      if (entry.intent.commands.has(command.agentId)) continue
      entry.intent.commands.set(command.agentId, command)
      this.#commands += 1
    }
    this.#makeRoom(record.intentId)
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
    this.#makeRoom(intentId)
    return entry
  }

  /** Lets the oldest go, but not the one in hand. */
  #makeRoom(inHand: string): void {
    for (const [intentId, entry] of this.#entries) {
      if (this.#commands + this.#entries.size <= this.#commandsMax || intentId === inHand) return
      this.#commands -= entry.intent?.commands.size ?? 0
      this.#entries.delete(intentId)
    }
  }
}

const NONE: ReadonlyMap<string, StoredOutcome> = new Map()
