import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Random } from '../../src/core/index.ts'
import { until } from '../../test/until.ts'
import { type Operation, type OperationValue, seededRandom } from '../../testing/index.ts'
import { CallClient } from './call-client.ts'
import { Callers } from './callers.ts'
import { ChaosGroup, type DiskKind } from './chaos-group.ts'
import { FAULT_KINDS, FAULTS, type FaultKind } from './faults.ts'
import { judge, type Verdict } from './judge.ts'

export interface ChaosOptions {
  readonly rounds: number
  readonly seed: number
  /** Where the histories of calls go, a file of JSON lines for each round. */
  readonly histories?: string | undefined
  /** Commands that must be acknowledged in each round. */
  readonly ackedPerRound: number
  /** Who write and read, one call at a time each. */
  readonly sessions: number
  /** Which groups, one after the other: the rounds are shared out among them. */
  readonly groups: ReadonlyArray<{ readonly members: number; readonly disk: DiskKind }>
  readonly faultsPerRound: number
  /** In turn. Default: every kind. */
  readonly kinds?: readonly FaultKind[]
  progress(text: string): void
}

export interface ChaosReport {
  readonly rounds: number
  readonly faults: Readonly<Record<FaultKind, number>>
  readonly acked: number
  readonly reads: number
  readonly unknown: number
  readonly lost: number
  readonly linearizable: boolean
  readonly staleReads: number
  /** How often the time of a log went back. */
  readonly timeWentBack: number
  /** Of each group, how many members and on what. */
  readonly groups: ReadonlyArray<{ readonly members: number; readonly disk: DiskKind }>
  readonly network: 'tcp-proxy'
  readonly seed: number
  readonly problems: readonly string[]
}

const KEYS = 24
const FINAL_READ_MS = 10_000
const ROUND_WITHIN_MS = 180_000
const PROBLEMS_MAX = 20

/**
 * Groups of real processes under one fault after the other while clients write and read, and what became of their calls. A
 * group that does not get well again, or falls, ends it: the report says so, and has the rounds before.
 */
export async function torment(options: ChaosOptions): Promise<ChaosReport> {
  if (options.histories !== undefined) mkdirSync(options.histories, { recursive: true })
  const run = new ChaosRun(options)
  const each = Math.ceil(options.rounds / options.groups.length)
  for (const [at, group] of options.groups.entries()) {
    const rounds = Math.min(each, options.rounds - at * each)
    if (rounds > 0 && !(await run.group(group, rounds))) break
  }
  return run.report()
}

class ChaosRun {
  readonly #options: ChaosOptions
  readonly #random: Random
  readonly #startNs = process.hrtime.bigint()
  readonly #faults = Object.fromEntries(FAULT_KINDS.map((kind) => [kind, 0])) as Record<FaultKind, number>
  readonly #verdicts: Verdict[] = []
  readonly #groups: Array<{ readonly members: number; readonly disk: DiskKind }> = []
  #timeWentBack = 0
  /** Why it ended before its time. */
  #fall: string | undefined
  #played = 0

  constructor(options: ChaosOptions) {
    this.#options = options
    this.#random = seededRandom(options.seed)
  }

  /** False when it did not come to its end. */
  async group(wanted: ChaosOptions['groups'][number], rounds: number): Promise<boolean> {
    const group = await ChaosGroup.start(wanted.members, wanted.disk)
    this.#groups.push({ members: wanted.members, disk: group.disk })
    const callers = await Callers.start({
      seed: this.#options.seed * 100 + this.#groups.length,
      sessions: this.#options.sessions,
      targets: group.targets,
      startNs: this.#startNs,
    })
    try {
      for (let round = 0; round < rounds; round += 1) await this.#round(group, callers)
      return true
    } catch (error) {
      this.#fall = `round ${this.#played} did not end: ${(error as Error).message}`
      return false
    } finally {
      callers.close()
      await group.close()
    }
  }

  async #round(group: ChaosGroup, callers: Callers): Promise<void> {
    const round = this.#played
    this.#played += 1
    const keys = Array.from({ length: KEYS }, (_, at) => `r${round}k${at}`)
    const before = (await callers.counts()).acked
    await callers.begin(keys)
    const played: FaultKind[] = []
    const { faultsPerRound, kinds = FAULT_KINDS, rounds, progress } = this.#options
    for (let fault = 0; fault < faultsPerRound; fault += 1) {
      const kind = kinds[(round * faultsPerRound + fault) % kinds.length]!
      progress(`round ${round + 1} of ${rounds}, ${group.ids.length} members: ${kind}`)
      await FAULTS[kind](group, this.#random)
      await this.#serves(callers)
      this.#faults[kind] += 1
      played.push(kind)
    }
    const enough = before + this.#options.ackedPerRound
    await until(async () => (await callers.counts()).acked >= enough, { withinMs: ROUND_WITHIN_MS, everyMs: 50 })
    const history = [...(await callers.end())]
    const audits = await group.settled()
    history.push(...(await this.#finalReads(group, keys)))
    this.#timeWentBack += audits[0]!.timeWentBack
    const verdict = judge(history, audits)
    this.#verdicts.push(verdict)
    this.#keep(round, history)
    for (const problem of verdict.problems)
      this.#options.progress(`round ${round + 1} (${played.join(', ')}): ${problem}`)
  }

  /** After a fault work goes on: something new is acknowledged. */
  async #serves(callers: Callers): Promise<void> {
    const { acked } = await callers.counts()
    await until(async () => (await callers.counts()).acked > acked + this.#options.sessions, {
      withinMs: ROUND_WITHIN_MS,
      everyMs: 20,
    })
  }

  /** What every member says at the end, through a read point of its own. */
  async #finalReads(group: ChaosGroup, keys: readonly string[]): Promise<readonly Operation[]> {
    const nowNs = () => Number(process.hrtime.bigint() - this.#startNs)
    const reads: Operation[] = []
    for (const { id, port } of group.targets) {
      const client = new CallClient(port)
      for (const key of keys) {
        const callNs = nowNs()
        const outcome = await client.read(key, FINAL_READ_MS)
        if (outcome.status !== 'done') continue
        const [result] = outcome.answer as [OperationValue]
        const shared = { client: `final-${id}`, op: 'read', key, value: null, status: 'ok' } as const
        reads.push({ ...shared, result, callNs, returnNs: nowNs() })
      }
      client.close()
    }
    return reads
  }

  #keep(round: number, history: readonly Operation[]): void {
    const { histories } = this.#options
    if (histories === undefined) return
    const lines = history.map((operation) => JSON.stringify(operation))
    writeFileSync(join(histories, `round-${String(round + 1).padStart(4, '0')}.jsonl`), `${lines.join('\n')}\n`)
  }

  report(): ChaosReport {
    const sum = (what: 'acked' | 'reads' | 'unknown' | 'lost' | 'staleReads') =>
      this.#verdicts.reduce((total, verdict) => total + verdict[what], 0)
    return {
      rounds: this.#verdicts.length,
      faults: this.#faults,
      acked: sum('acked'),
      reads: sum('reads'),
      unknown: sum('unknown'),
      lost: sum('lost'),
      linearizable: this.#verdicts.every(({ isLinearizable }) => isLinearizable),
      staleReads: sum('staleReads'),
      timeWentBack: this.#timeWentBack,
      groups: this.#groups,
      network: 'tcp-proxy',
      seed: this.#options.seed,
      problems: [
        ...(this.#fall === undefined ? [] : [this.#fall]),
        ...this.#verdicts.flatMap(({ problems }) => problems),
      ].slice(0, PROBLEMS_MAX),
    }
  }
}
