import { type Durability, type RequestedDurability, satisfies } from '../../src/bus/index.ts'
import type { ConsumedLine, History, OutcomeRecord, Place, ReportName } from './history.ts'

export interface TelemetryFigures {
  /** Distinct records in the log. */
  readonly published: number
  /** Distinct records in the consumers' ledgers. */
  readonly consumed: number
  /** Records in the log that are in no consumer's ledger. */
  readonly unseen: number
  /** Records in a consumer's ledger that the log has not there, or as another report. */
  readonly strange: number
  /** Acknowledged to an agent and in no consumer's ledger. */
  readonly lost: number
  /** First deliveries of a key that do not ascend, and reports that the log holds out of their agent's order. */
  readonly reordered: number
  /** Deliveries of a record that the same consumer had handled before. */
  readonly duplicates: number
  /** The weakest level any receipt carried. */
  readonly durability: Durability
  /** Receipts that say less than what the channels' "safe" means in this run. */
  readonly belowAsked: number
}

export interface CommandFigures {
  readonly sent: number
  readonly done: number
  readonly rejected: number
  readonly failed: number
  readonly expired: number
  readonly replaced: number
  /** Said to be unknown, or without any outcome. */
  readonly unknown: number
  readonly effects: number
  /** Effects of an intent beyond the first, per agent. */
  readonly duplicateEffects: number
  /** Effects begun after the last moment allowed. */
  readonly staleEffects: number
  /** Commands called done that left no effect. */
  readonly withoutEffect: number
  /** Effects of commands whose outcome is neither done nor unknown. */
  readonly deniedEffects: number
  /** Outcomes that the sender was told and the log denies, and those of commands that the log never held. */
  readonly contradicted: number
}

/** As few as a mixed swarm may have. */
const AGENTS_MIN = 12
const TYPES_MIN = 4

export interface Audit {
  /** Distinct agents that joined, by the log. */
  readonly agents: number
  readonly types: number
  readonly telemetry: TelemetryFigures
  readonly commands: CommandFigures
  /**
   * The agent that was killed came back with a new epoch and acted again, and every command that could still be done
   * then has an outcome.
   */
  readonly recovered: boolean
  /** What is missing for that. */
  readonly notRecovered?: string
}

export interface AuditOptions {
  readonly killedAgentId: string
  /** What receipts must say at least. */
  readonly safe: RequestedDurability
}

/** Judges a run by what it left behind. Pure: it knows nothing of how the swarm was run. */
export function audit(history: History, options: AuditOptions): Audit {
  const notRecovered = missingForRecovery(history, options.killedAgentId)
  return {
    agents: new Set(history.joins.map((join) => join.agentId)).size,
    types: new Set(history.joins.map((join) => join.agentType)).size,
    telemetry: telemetryFigures(history, options.safe),
    commands: commandFigures(history),
    recovered: notRecovered === undefined,
    ...(notRecovered !== undefined && { notRecovered }),
  }
}

type Check = readonly [holds: boolean, otherwise: string]

/** What stands between this audit and a clean run, one sentence each. One that was cut short need not have seen all. */
export function faultsOf(found: Audit, options: { readonly isCutShort?: boolean } = {}): string[] {
  const checks = [...promises(found), ...(options.isCutShort === true ? [] : scenes(found))]
  return checks.filter(([holds]) => !holds).map(([, sentence]) => sentence)
}

/** What holds at any time. */
function promises({ telemetry, commands }: Audit): Check[] {
  return [
    [telemetry.published === telemetry.consumed, 'published and consumed records differ'],
    [telemetry.unseen === 0, `${telemetry.unseen} records of the log were consumed by nobody`],
    [telemetry.strange === 0, `${telemetry.strange} consumed records are not what the log has there`],
    [telemetry.lost === 0, `${telemetry.lost} acknowledged reports were lost`],
    [telemetry.belowAsked === 0, `${telemetry.belowAsked} reports were acknowledged below what was asked`],
    [telemetry.reordered === 0, `${telemetry.reordered} reports were reordered`],
    [commands.duplicateEffects === 0, `${commands.duplicateEffects} effects happened twice`],
    [commands.staleEffects === 0, `${commands.staleEffects} effects began after their deadline`],
    [commands.contradicted === 0, `${commands.contradicted} outcomes contradict the log`],
    [commands.withoutEffect === 0, `${commands.withoutEffect} commands are called done and had no effect`],
    [commands.deniedEffects === 0, `${commands.deniedEffects} effects stand against an outcome that denies them`],
    [commands.done <= commands.effects, 'there are fewer effects than commands that are done'],
    [commands.effects <= commands.done + commands.unknown, 'there are more effects than commands done and unknown'],
  ]
}

/** What must have happened for the run to have shown anything. */
function scenes({ agents, types, telemetry, commands, recovered, notRecovered }: Audit): Check[] {
  return [
    [agents >= AGENTS_MIN, `only ${agents} agents joined`],
    [types >= TYPES_MIN, `only ${types} types of agents joined`],
    [telemetry.published > 0, 'no telemetry was published'],
    [telemetry.durability !== 'none', 'no report was acknowledged'],
    [commands.done > 0, 'no command was done'],
    [commands.expired > 0, 'no command expired'],
    [commands.replaced > 0, 'no command was replaced'],
    [recovered, `the killed agent did not come back and resolve its commands: ${notRecovered}`],
  ]
}

function telemetryFigures(history: History, safe: RequestedDurability): TelemetryFigures {
  const stored = new Map(history.stored.map((report) => [placeOf(report), nameOf(report)]))
  const consumed = new Map<string, string>()
  const strange = new Set<string>()
  const names = new Set<string>()
  for (const line of history.consumers.flat()) {
    consumed.set(placeOf(line), nameOf(line))
    if (stored.get(placeOf(line)) !== nameOf(line)) strange.add(placeOf(line))
    names.add(nameOf(line))
  }
  const orders = history.consumers.map(deliveryOrder)
  return {
    published: stored.size,
    consumed: consumed.size,
    unseen: [...stored.keys()].filter((place) => !consumed.has(place)).length,
    strange: strange.size,
    lost: history.acknowledged.filter((line) => !names.has(nameOf(line))).length,
    reordered: sum(orders.map((order) => order.reordered)) + misplaced(history),
    duplicates: sum(orders.map((order) => order.duplicates)),
    durability: weakest(history.acknowledged.map((line) => line.durability)),
    belowAsked: history.acknowledged.filter(({ durability }) => !satisfies(durability, safe)).length,
  }
}

/** Within one consumer's ledger: first deliveries of an agent's reports must ascend in the log's own order. */
function deliveryOrder(ledger: readonly ConsumedLine[]): { reordered: number; duplicates: number } {
  const seen = new Set<string>()
  const last = new Map<string, number>()
  let reordered = 0
  let duplicates = 0
  for (const line of ledger) {
    const place = placeOf(line)
    const key = `${line.topic}/${line.agentId}`
    if (seen.has(place)) duplicates += 1
    else if (line.sequence < (last.get(key) ?? -1)) reordered += 1
    if (!seen.has(place)) last.set(key, Math.max(line.sequence, last.get(key) ?? -1))
    seen.add(place)
  }
  return { reordered, duplicates }
}

/** In the log itself: the first records of an incarnation's counts must ascend. */
function misplaced(history: History): number {
  const last = new Map<string, number>()
  const seen = new Set<string>()
  let count = 0
  const ordered = history.stored.toSorted(
    (left, right) => left.partition - right.partition || left.sequence - right.sequence,
  )
  for (const report of ordered) {
    const writer = `${report.agentId}/${report.epoch}/${report.channel}`
    if (seen.has(nameOf(report))) continue
    seen.add(nameOf(report))
    if (report.count < (last.get(writer) ?? -1)) count += 1
    last.set(writer, Math.max(report.count, last.get(writer) ?? -1))
  }
  return count
}

function commandFigures(history: History): CommandFigures {
  const outcomes = finalOutcomes(history.outcomes)
  const startBy = new Map(history.commands.map((command) => [targetOf(command), command.startByMs]))
  const states = [...startBy.keys()].map((target) => outcomes.get(target))
  const distinct = new Set(history.effects.map(targetOf))
  const count = (state: string) => states.filter((outcome) => outcome?.state === state).length
  return {
    sent: startBy.size,
    done: count('done'),
    rejected: count('rejected'),
    failed: count('failed'),
    expired: count('expired'),
    replaced: states.filter((outcome) => outcome?.state === 'failed' && outcome.reason === 'replaced').length,
    unknown: states.filter((outcome) => outcome === undefined || outcome.state === 'unknown').length,
    effects: history.effects.length,
    duplicateEffects: history.effects.length - distinct.size,
    withoutEffect: [...startBy.keys()].filter(
      (target) => outcomes.get(target)?.state === 'done' && !distinct.has(target),
    ).length,
    deniedEffects: [...distinct].filter((target) => !MAY_HAVE_EFFECT.has(outcomes.get(target)?.state ?? 'unknown'))
      .length,
    staleEffects: history.effects.filter((effect) => isStale(effect.startedAtMs, startBy.get(targetOf(effect)))).length,
    contradicted: contradictions(history, outcomes, startBy),
  }
}

function contradictions(
  history: History,
  outcomes: ReadonlyMap<string, OutcomeRecord>,
  sent: ReadonlyMap<string, number>,
): number {
  const unsent = [...outcomes.keys()].filter((target) => !sent.has(target)).length
  const denied = history.told.filter((told) => {
    const known = outcomes.get(targetOf(told))
    // A sender that stopped waiting says unknown; what is known later does not contradict it.
    return !sent.has(targetOf(told)) || (told.state !== 'unknown' && told.state !== known?.state)
  })
  return unsent + denied.length
}

/** An effect of an intent that nobody sent is as wrong as a late one. */
function isStale(startedAtMs: number, startByMs: number | undefined): boolean {
  return startByMs === undefined || startedAtMs > startByMs
}

/** A command without an outcome may have run. */
const MAY_HAVE_EFFECT = new Set(['done', 'unknown'])
const FINAL = new Set(['done', 'rejected', 'failed', 'expired', 'unknown'])

/** The first final outcome stands; only `unknown` may be replaced by something better known. */
function finalOutcomes(outcomes: readonly OutcomeRecord[]): Map<string, OutcomeRecord> {
  const final = new Map<string, OutcomeRecord>()
  for (const outcome of outcomes) {
    const before = final.get(targetOf(outcome))
    if (!FINAL.has(outcome.state) || (before !== undefined && before.state !== 'unknown')) continue
    final.set(targetOf(outcome), outcome)
  }
  return final
}

function missingForRecovery(history: History, agentId: string): string | undefined {
  const joins = history.joins.filter((join) => join.agentId === agentId)
  const newest = joins.at(-1)
  if (newest === undefined) return `${agentId} never joined`
  if (newest.epoch <= joins[0]!.epoch) return `${agentId} did not join again with a newer epoch than ${joins[0]!.epoch}`
  const effects = history.effects.filter((effect) => effect.agentId === agentId && effect.epoch === newest.epoch)
  if (effects.length === 0) {
    return `${agentId} joined again with epoch ${newest.epoch}, but did nothing under it`
  }
  const outcomes = finalOutcomes(history.outcomes)
  // Between its join and its first claim it reads nothing yet: what becomes too old then is given to nobody.
  const backAtMs = Math.min(...effects.map(({ startedAtMs }) => startedAtMs))
  const waited = history.commands.filter((command) => command.agentId === agentId && command.startByMs > backAtMs)
  const open = waited.filter((command) => !outcomes.has(targetOf(command))).length
  return open === 0 ? undefined : `${open} of ${waited.length} commands that could still be done have no outcome`
}

const LEVELS: readonly Durability[] = ['none', 'written', 'durable', 'replicated', 'quorum-durable']

function weakest(levels: readonly Durability[]): Durability {
  return LEVELS.find((level) => levels.includes(level)) ?? 'none'
}

function placeOf(place: Place): string {
  return `${place.topic}/${place.partition}/${place.sequence}`
}

function nameOf(name: ReportName): string {
  return `${name.agentId}/${name.epoch}/${name.channel}/${name.count}`
}

function targetOf(target: { readonly intentId: string; readonly agentId: string }): string {
  return `${target.intentId}/${target.agentId}`
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
