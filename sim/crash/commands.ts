import { checkEffects } from '../commands/check-effects.ts'
import { playRound } from '../commands/play-round.ts'
import type { CrashOptions } from './variant.ts'

export interface CommandsReport {
  readonly rounds: number
  readonly commands: number
  /** Records of commands written: each is delivered at least so often. */
  readonly copies: number
  readonly kills: number
  readonly effects: number
  readonly done: number
  readonly rejected: number
  readonly failed: number
  readonly expired: number
  readonly unknown: number
  /** Ways in which the promise of a command was broken; the first few are told on standard error. */
  readonly faults: number
  readonly firstFaults: readonly string[]
}

const ROUNDS = 40
const COMMANDS = 100

/** Commands to agents that are killed, each delivered three times: every one takes effect once, in time, or says what is not known. */
export async function run(options: CrashOptions): Promise<CommandsReport> {
  const rounds = options.rounds ?? ROUNDS
  const states = new Map<string, number>()
  const faults: string[] = []
  let kills = 0
  let effects = 0
  for (let round = 0; round < rounds; round += 1) {
    const seed = options.seed * 100_000 + round
    const played = await playRound({ seed, commands: COMMANDS })
    kills += played.kills
    effects += played.history.effects.length
    for (const { state } of played.history.told) states.set(state, (states.get(state) ?? 0) + 1)
    faults.push(...checkEffects(played.history).map((fault) => `seed ${seed}: ${fault}`))
    options.progress(`round ${round + 1} of ${rounds}, ${effects} effects, ${faults.length} faults`)
  }
  const count = (state: string) => states.get(state) ?? 0
  return {
    rounds,
    commands: rounds * COMMANDS,
    copies: 3,
    kills,
    effects,
    done: count('done'),
    rejected: count('rejected'),
    failed: count('failed'),
    expired: count('expired'),
    unknown: count('unknown'),
    faults: faults.length,
    firstFaults: faults.slice(0, 5),
  }
}

export function shortfalls(report: CommandsReport): string[] {
  const missed = report.faults === 0 ? [] : [`${report.faults} faults: ${report.firstFaults.join('; ')}`]
  if (report.done > report.effects || report.effects === 0)
    missed.push(`${report.done} done, ${report.effects} effects`)
  for (const state of ['done', 'failed', 'expired', 'unknown'] as const) {
    if (report[state] === 0) missed.push(`no command was ${state}: the run does not show what it should`)
  }
  return missed
}
