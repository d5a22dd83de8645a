/**
 * Agreement beside etcd, and beside the bare work of it: three processes each, values of 256 bytes, synced on a majority
 * before the acknowledgment, 500 proposals in flight, alternating in one run. Then one proposal at a time, then leaders killed
 * under load.
 */
import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { ServiceUnavailable } from '../test/services/service.ts'
import { median } from './channel/median.ts'
import { CeilingGroup } from './consensus/ceiling-group.ts'
import { EtcdGroup } from './consensus/etcd-group.ts'
import { type Figures, medianOf, rounded } from './consensus/figures.ts'
import { Load } from './consensus/load.ts'
import { measureFailover } from './consensus/measure-failover.ts'
import { ELECTION_TIMEOUT_MS, OurGroup } from './consensus/our-group.ts'
import { weakest } from './weakest.ts'

const ROUNDS = 3
const IN_FLIGHT = 500
const PROPOSALS = 400_000
const SEQUENTIAL_PROPOSALS = 1_000
const ETCD_SECONDS = 4
const SEQUENTIAL_SECONDS = 2
const KILLS = 20

const RATIO_ETCD_MIN = 20
const RATIO_CEILING_MIN = 0.25
const FAILOVER_MAX_MS = 3_000

interface Sides {
  readonly ours: OurGroup
  readonly ceiling: CeilingGroup
  readonly etcd: EtcdGroup
  readonly load: Load
}

interface Round {
  readonly ours: Figures
  readonly ceiling: Figures
  readonly etcd: Figures
}

async function playRound({ ours, ceiling, etcd, load }: Sides, inFlight: number): Promise<Round> {
  const isSequential = inFlight === 1
  const proposals = isSequential ? SEQUENTIAL_PROPOSALS : PROPOSALS
  const round = {
    etcd: await etcd.run({ inFlight, seconds: isSequential ? SEQUENTIAL_SECONDS : ETCD_SECONDS }),
    ours: await load.run(ours, { inFlight, proposals }),
    ceiling: await load.run(ceiling, { inFlight, proposals }),
  }
  const told = (['ours', 'ceiling', 'etcd'] as const).map((side) => {
    const { perSecond, p50Ms, p99Ms } = round[side]
    return `${side} ${Math.round(perSecond)}/s, p50 ${rounded(p50Ms)} ms, p99 ${rounded(p99Ms)} ms`
  })
  process.stderr.write(`${inFlight} in flight: ${told.join('; ')}\n`)
  return round
}

/** The first round of each kind warms all sides up. */
async function play(sides: Sides, inFlight: number): Promise<readonly Round[]> {
  const rounds: Round[] = []
  for (let round = 0; round <= ROUNDS; round += 1) rounds.push(await playRound(sides, inFlight))
  return rounds.slice(1)
}

function ratio(rounds: readonly Round[], side: 'ceiling' | 'etcd'): number {
  return rounded(median(rounds.map((round) => round.ours.perSecond / round[side].perSecond)))
}

async function measure(sides: Sides) {
  const { ours, ceiling, etcd, load } = sides
  const full = await play(sides, IN_FLIGHT)
  const sequential = await play(sides, 1)
  const durabilities = await ours.durabilities()
  const gapsMs = await measureFailover(ours, load, { kills: KILLS, inFlight: IN_FLIGHT })
  await ours.settled()
  await ours.check()
  await ceiling.check()
  return {
    ours: medianOf(full.map((round) => round.ours)),
    etcd: { ...medianOf(full.map((round) => round.etcd)), version: etcd.version },
    ceiling: medianOf(full.map((round) => round.ceiling)),
    ratioEtcd: ratio(full, 'etcd'),
    ratioCeiling: ratio(full, 'ceiling'),
    sequential: {
      oursP50Ms: medianOf(sequential.map((round) => round.ours)).p50Ms,
      etcdP50Ms: medianOf(sequential.map((round) => round.etcd)).p50Ms,
      ceilingP50Ms: medianOf(sequential.map((round) => round.ceiling)).p50Ms,
    },
    failoverMaxMs: Math.round(Math.max(...gapsMs)),
    failoverP50Ms: Math.round(median([...gapsMs])),
    kills: gapsMs.length,
    electionTimeoutMs: [ELECTION_TIMEOUT_MS, 2 * ELECTION_TIMEOUT_MS],
    // Each process tells of itself, and those of before were killed.
    durability: weakest([...durabilities, ...(await ours.durabilities())]),
    inFlight: IN_FLIGHT,
    valueBytes: 256,
    proposals: PROPOSALS,
    rounds: full.map((round) => [round.ours, round.etcd, round.ceiling].map(({ perSecond }) => Math.round(perSecond))),
  }
}

type Result = Awaited<ReturnType<typeof measure>>

function shortfalls(result: Result): string[] {
  const { ours, etcd, ratioEtcd, ratioCeiling, sequential, failoverMaxMs, durability } = result
  const bars: ReadonlyArray<readonly [boolean, string]> = [
    [ratioEtcd >= RATIO_ETCD_MIN, `${ratioEtcd} times etcd, at least ${RATIO_ETCD_MIN} is asked for`],
    [ratioCeiling >= RATIO_CEILING_MIN, `${ratioCeiling} of the ceiling, at least ${RATIO_CEILING_MIN} is asked for`],
    [ours.p99Ms < etcd.p99Ms, `p99 is ${ours.p99Ms} ms, etcd's ${etcd.p99Ms} ms`],
    [
      sequential.oursP50Ms <= sequential.etcdP50Ms,
      `one at a time takes ${sequential.oursP50Ms} ms, etcd ${sequential.etcdP50Ms} ms`,
    ],
    [failoverMaxMs < FAILOVER_MAX_MS, `a failover took ${failoverMaxMs} ms, less than ${FAILOVER_MAX_MS} is asked for`],
    [durability === 'quorum-durable', `acknowledgments were ${durability}`],
  ]
  return bars.filter(([isMet]) => !isMet).map(([, sentence]) => sentence)
}

async function run(directory: string): Promise<Result> {
  // The directories of etcd lie where ours do: the temporary one is memory on many machines, and nothing would be durable.
  process.env.TMPDIR = directory
  const etcd = await EtcdGroup.start(directory)
  const load = new Load()
  try {
    const ours = await OurGroup.start(directory)
    const ceiling = await CeilingGroup.start(directory)
    try {
      return await measure({ ours, ceiling, etcd, load })
    } finally {
      await Promise.all([ours.stop(), ceiling.stop()])
    }
  } finally {
    load.close()
    await etcd.stop()
  }
}

const directory = await mkdtemp(join(process.cwd(), '.bench-consensus-'))
// Gigabytes: they go however this ends. What was started ends with this process.
process.on('exit', () => rmSync(directory, { recursive: true, force: true }))
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => process.exit(130))
try {
  const result = await run(directory)
  const missed = shortfalls(result)
  for (const sentence of missed) console.error(`bench consensus: ${sentence}`)
  console.log(JSON.stringify(result))
  process.exitCode = missed.length === 0 ? 0 : 1
} catch (error) {
  const { message, stack } = error as Error
  console.error(`bench consensus: ${error instanceof ServiceUnavailable ? message : stack}`)
  console.log(JSON.stringify({ error: message }))
  process.exitCode = 1
}
