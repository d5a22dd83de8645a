import type { Random } from '../../src/core/index.ts'
import { type Fault, type FaultPlan, seededRandom } from '../../testing/index.ts'

/** Everything a run is made of. With the seed it is the whole input: the same scenario gives the same run. */
export interface Scenario {
  readonly seed: number
  /** Voters at the start, 1 to 7. */
  readonly nodes: number
  readonly clients: number
  readonly keys: number
  /** Longest pause of a client between two calls. */
  readonly thinkMsMax: number
  /** Of the calls; most of the others write. */
  readonly readPercent: number
  /** How long faults go on. */
  readonly faultsMs: number
  /** After that the group must work again within this time. */
  readonly healWithinMs: number
  /** Whether everything is healed, or only a random majority. */
  readonly heal: 'all' | 'majority'
  readonly tickMs: number
  readonly applyMsMax: number
  readonly snapshotEntries: number
  readonly keptEntries: number
  /** Bytes that some commands are larger by. */
  readonly paddingBytesMax: number
  /** Nodes begin with the older build and are upgraded in mid-run. */
  readonly isUpgraded: boolean
  readonly raft: {
    readonly electionTicks: number
    readonly preVote: boolean
    readonly checkQuorum: boolean
    readonly inflightMessagesMax: number
    readonly inflightBytesMax: number
    readonly messageBytesMax: number
    readonly uncommittedBytesMax: number
    readonly applyBytesMax: number
  }
  readonly faults: readonly Fault[]
  /** How often a weak moment of the group is used against it. */
  readonly opportunityPercent: number
  /** What must hold before the first fault and when the group is well again. */
  readonly steadyState: FaultPlan['steadyState']
  /** What is judged of the clients' view; the promises of Raft itself are checked in any case. */
  readonly verify: FaultPlan['verify']
}

const SIZES = [1, 2, 3, 3, 3, 4, 5, 5, 5, 6, 7] as const

/** Draws a scenario from a seed. */
export function drawScenario(seed: number): Scenario {
  const random = seededRandom(seed)
  const pick = <T>(choices: readonly T[]): T => choices[Math.floor(random.float() * choices.length)]!
  const between = (low: number, high: number) => Math.floor(low + random.float() * (high - low))
  const nodes = pick(SIZES)
  const faultsMs = between(48_000, 70_000)
  const isUpgraded = random.float() < 0.4
  const isTight = random.float() < 0.4
  const hasStaleLeaders = random.float() < 0.4
  const hasChurn = random.float() < 0.35
  return {
    seed,
    nodes,
    clients: between(2, 8),
    keys: between(1, 9),
    thinkMsMax: pick([40, 150, 150, 500]),
    readPercent: pick([25, 45, 75]),
    faultsMs,
    healWithinMs: 40_000,
    heal: nodes >= 3 && random.float() < 0.4 ? 'majority' : 'all',
    tickMs: 100,
    applyMsMax: pick([0, 0, 5, 80]),
    snapshotEntries: pick([25, 60, 150, 1_000_000]),
    keptEntries: pick([0, 3, 20]),
    paddingBytesMax: pick([0, 0, 200, 2_000]),
    isUpgraded,
    raft: {
      electionTicks: pick([10, 10, 5]),
      preVote: random.float() < 0.9,
      // A leader that nobody answers leads on for ever without this: reads must be right all the same.
      checkQuorum: random.float() < (hasStaleLeaders || hasChurn ? 0.5 : 0.95),
      inflightMessagesMax: isTight ? between(1, 6) : 64,
      inflightBytesMax: isTight ? between(500, 5_000) : 4 << 20,
      messageBytesMax: isTight ? between(100, 2_000) : 512 << 10,
      uncommittedBytesMax: isTight ? between(1_000, 8_000) : 64 << 20,
      applyBytesMax: isTight ? between(300, 4_000) : 16 << 20,
    },
    faults: drawFaults(random, { faultsMs, isUpgraded, hasStaleLeaders, hasChurn }),
    opportunityPercent: pick([15, 40, 70]),
    steadyState: [],
    verify: ['no-acked-loss', 'order-per-key', 'linearizable', 'effect-once'],
  }
}

/** The same group under the faults of a plan instead of drawn ones; at least three nodes, so that there is something to break. */
export function planned(scenario: Scenario, plan: FaultPlan): Scenario {
  const last = Math.max(0, ...plan.faults.map(({ at, duration }) => at + duration))
  return {
    ...scenario,
    nodes: Math.max(3, scenario.nodes),
    faultsMs: Math.min(plan.abort?.maxDuration ?? Number.POSITIVE_INFINITY, last + 5_000),
    healWithinMs: plan.heal.within,
    heal: 'all',
    isUpgraded: plan.faults.some(({ action }) => action === 'upgrade'),
    faults: plan.faults,
    opportunityPercent: 0,
    steadyState: plan.steadyState,
    verify: plan.verify,
  }
}

type Draft = Omit<Fault, 'at' | 'duration' | 'select'> & { readonly duration?: readonly [number, number] }

interface Run {
  readonly faultsMs: number
  readonly isUpgraded: boolean
  readonly hasStaleLeaders: boolean
  readonly hasChurn: boolean
}

function drawFaults(random: Random, run: Run): Fault[] {
  const faults: Fault[] = []
  const between = (low: number, high: number) => low + random.float() * (high - low)
  // A few kinds at a time: faults of every kind at once would leave a group that does nothing worth watching.
  const mood = KINDS.filter(() => random.float() < 0.55)
  const count = Math.floor(between(6, 34))
  for (let left = count; left > 0 && mood.length > 0; left -= 1) {
    const draw = mood[Math.floor(random.float() * mood.length)]!
    const { duration = [300, 9_000], ...fault } = draw(between, random)
    faults.push({
      ...fault,
      select: drawSelection(random),
      at: Math.round(between(1_500, run.faultsMs - 500)),
      duration: Math.round(between(...duration)),
    } as Fault)
  }
  if (run.hasStaleLeaders) faults.push(...drawStaleLeaders(random, run.faultsMs))
  if (run.hasChurn) faults.push(...drawChurn(random, run.faultsMs))
  if (run.isUpgraded) faults.push(...drawUpgrades(random, run.faultsMs))
  return faults.sort((one, other) => one.at - other.at)
}

function drawSelection(random: Random): Fault['select'] {
  const chance = random.float()
  if (chance < 0.35) return { mode: 'fixed', value: 1, role: 'leader' }
  if (chance < 0.6) return { mode: 'fixed', value: 1, role: 'follower' }
  if (chance < 0.8) return { mode: 'fixed', value: 1, role: 'any' }
  return chance < 0.93 ? { mode: 'percent', value: 50, role: 'any' } : { mode: 'all', value: 0, role: 'any' }
}

/** A leader that nobody hears, and that hears late what it was told before: it may lead on while another does. */
function drawStaleLeaders(random: Random, faultsMs: number): Fault[] {
  const select = { mode: 'fixed', value: 1, role: 'leader' } as const
  return Array.from({ length: 3 }, (): Fault[] => {
    const at = Math.round(1_500 + random.float() * (faultsMs - 8_000))
    const shared = { kind: 'network', select } as const
    const cutAt = at + Math.round(100 + random.float() * 250)
    return [
      { ...shared, action: 'clog', way: 'in', at, duration: Math.round(1_500 + random.float() * 3_000) },
      { ...shared, action: 'partition', direction: 'one-way', at: cutAt, duration: 5_000 },
    ]
  }).flat()
}

/** Members come and go all the time, mostly by way of joint configurations. */
function drawChurn(random: Random, faultsMs: number): Fault[] {
  const turns = 10
  return Array.from({ length: turns }, (_, turn): Fault[] => {
    const at = Math.round(1_500 + ((turn + random.float() * 0.3) * (faultsMs - 6_000)) / turns)
    const shared = { kind: 'raft', select: { mode: 'fixed', value: 1, role: 'leader' }, duration: 500 } as const
    const chance = random.float()
    const then = chance < 0.65 ? 'joint' : chance < 0.8 ? 'promote' : chance < 0.9 ? 'remove' : 'demote'
    return [
      { ...shared, action: 'add-learner', at },
      { ...shared, action: then, at: at + Math.round(500 + random.float() * 2_500) },
    ]
  }).flat()
}

function drawUpgrades(random: Random, faultsMs: number): Fault[] {
  return Array.from({ length: 16 }, (_, turn) => ({
    kind: 'process',
    action: 'upgrade',
    select: { mode: 'fixed', value: 1, role: 'any' },
    at: Math.round(((turn + random.float()) * faultsMs) / 16),
    duration: 500,
  }))
}

type Between = (low: number, high: number) => number

const KINDS: ReadonlyArray<(between: Between, random: Random) => Draft> = [
  (_, random) => ({
    kind: 'network',
    action: 'partition',
    direction: (['both', 'one-way', 'bridge', 'isolate'] as const)[Math.floor(random.float() * 4)]!,
    duration: [500, 12_000],
  }),
  (between) => ({ kind: 'network', action: 'loss', percent: between(1, 30) }),
  (between, random) => ({
    kind: 'network',
    action: 'duplicate',
    percent: between(1, 50),
    late: random.float() < 0.5 ? 0 : between(100, 5_000),
  }),
  (between) => ({ kind: 'network', action: 'reorder', percent: between(5, 80) }),
  (between) => ({ kind: 'network', action: 'latency', latency: between(10, 400) }),
  (_, random) => ({
    kind: 'network',
    action: 'clog',
    way: random.float() < 0.5 ? 'out' : 'in',
    duration: [200, 5_000],
  }),
  (between) => ({ kind: 'network', action: 'queue', value: Math.floor(between(2, 20)) }),
  (between) => ({ kind: 'io', action: 'latency', latency: between(20, 1_000) }),
  (between) => ({ kind: 'io', action: 'fault', methods: ['fdatasync'], errno: 5, percent: between(1, 100) }),
  () => ({ kind: 'io', action: 'fault', methods: ['write'], errno: 28, percent: 100, duration: [500, 5_000] }),
  (between) => ({
    kind: 'io',
    action: 'corrupt',
    methods: ['read'],
    percent: between(1, 10),
    duration: [5_000, 30_000],
  }),
  (between) => ({ kind: 'io', action: 'corrupt', methods: ['write'], percent: between(0.5, 10) }),
  (between) => ({ kind: 'io', action: 'misdirect', percent: between(0.5, 10) }),
  () => ({ kind: 'process', action: 'crash', duration: [50, 6_000] }),
  () => ({ kind: 'process', action: 'pause', duration: [200, 6_000] }),
  () => ({ kind: 'process', action: 'replace' }),
  (between) => ({ kind: 'clock', action: 'skew', percent: between(1, 30), duration: [2_000, 20_000] }),
  (between) => ({ kind: 'clock', action: 'jump', byMs: Math.round(between(-3_600_000, 3_600_000)) }),
  () => ({ kind: 'raft', action: 'snapshot' }),
  () => ({ kind: 'raft', action: 'purge' }),
  () => ({ kind: 'raft', action: 'transfer' }),
  () => ({ kind: 'raft', action: 'add-learner' }),
  () => ({ kind: 'raft', action: 'promote' }),
  () => ({ kind: 'raft', action: 'demote' }),
  () => ({ kind: 'raft', action: 'remove' }),
  () => ({ kind: 'raft', action: 'joint' }),
]
