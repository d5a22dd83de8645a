/** What happened, from the ledgers of all who took part. Times are true ones, by a clock that nobody sets, ms. */
export interface CommandHistory {
  readonly sent: readonly SentCommand[]
  /** Written by handlers when they have done their work: a ledger line. */
  readonly effects: readonly Effect[]
  /** As the topic of outcomes has them, repeats included. */
  readonly outcomes: readonly ReportedOutcome[]
  /** As senders were told. */
  readonly told: readonly ReportedOutcome[]
}

export interface SentCommand {
  readonly intentId: string
  readonly agentId: string
  readonly deadlineMs: number
  readonly idempotent: boolean
  /** The agent's epoch when it was sent; undefined for one held for whichever comes next. */
  readonly epoch: number | undefined
}

export interface Effect {
  readonly intentId: string
  readonly agentId: string
  readonly epoch: number
  readonly startedAtMs: number
}

export interface ReportedOutcome {
  readonly intentId: string
  readonly agentId: string
  readonly state: string
  readonly reason?: string | undefined
}

/** Every way in which the history breaks the promise of a command, one sentence each. */
export function checkEffects(history: CommandHistory): readonly string[] {
  const commands = new Map(history.sent.map((sent) => [key(sent), sent]))
  const effects = Map.groupBy(history.effects, key)
  const outcomes = Map.groupBy(history.outcomes, key)
  const told = Map.groupBy(history.told, key)
  const faults: string[] = []
  for (const [name] of effects) if (!commands.has(name)) faults.push(`${name} took effect and was never sent`)
  for (const [name, sent] of commands) {
    const done = effects.get(name) ?? []
    const said = outcomes.get(name) ?? []
    faults.push(...checkOne(sent, done).map((fault) => `${name} ${fault}`))
    faults.push(...checkOutcomes(said, done).map((fault) => `${name} ${fault}`))
    faults.push(...checkTold(told.get(name) ?? [], said).map((fault) => `${name} ${fault}`))
  }
  return faults
}

function checkOne(sent: SentCommand, effects: readonly Effect[]): readonly string[] {
  const faults: string[] = []
  if (effects.length > 1 && !sent.idempotent) faults.push(`took effect ${effects.length} times`)
  for (const effect of effects) {
    if (effect.startedAtMs > sent.deadlineMs) {
      faults.push(`began ${effect.startedAtMs - sent.deadlineMs} ms after its deadline`)
    }
    // An idempotent one that was claimed in time runs again in the next session.
    if (sent.epoch !== undefined && effect.epoch !== sent.epoch && !sent.idempotent) {
      faults.push(`was sent to epoch ${sent.epoch} and took effect in epoch ${effect.epoch}`)
    }
  }
  return faults
}

function checkOutcomes(said: readonly ReportedOutcome[], effects: readonly Effect[]): readonly string[] {
  const faults: string[] = []
  const states = new Set(said.map((each) => each.state))
  if (states.has('done') && effects.length === 0) faults.push('is done and had no effect')
  for (const state of ['rejected', 'expired']) {
    // Once its row is forgotten a repeat of a command is expired whatever became of it; the first word counts.
    if (said[0]?.state === state && effects.length > 0) faults.push(`is ${state} and took effect`)
  }
  if (said[0]?.state === 'failed' && said[0].reason === 'replaced' && effects.length > 0) {
    faults.push('was replaced and took effect')
  }
  if (states.has('done') && (states.has('rejected') || states.has('failed') || states.has('unknown'))) {
    faults.push(`has the outcomes ${[...states].join(' and ')}`)
  }
  return faults
}

function checkTold(told: readonly ReportedOutcome[], said: readonly ReportedOutcome[]): readonly string[] {
  return told
    .filter((each) => each.state !== 'unknown' && !said.some((report) => report.state === each.state))
    .map((each) => `was told as ${each.state}, which nobody reported`)
}

function key(command: { readonly intentId: string; readonly agentId: string }): string {
  return `${command.agentId}/${command.intentId}`
}
