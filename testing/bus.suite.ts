import { test } from 'node:test'
import type { Capabilities } from '../src/bus/index.ts'
import { groupCases } from './bus/group-cases.ts'
import { messageCases } from './bus/message-cases.ts'
import { networkCases } from './bus/network-cases.ts'
import { setPatience } from './bus/patience.ts'
import { assertRefused } from './bus/refusals.ts'
import { replayCases } from './bus/replay-cases.ts'
import { requestCases } from './bus/request-cases.ts'
import { retryCases } from './bus/retry-cases.ts'
import { openTopic } from './bus/suite-topic.ts'
import { topicCases } from './bus/topic-cases.ts'
import { transactionCases } from './bus/transaction-cases.ts'
import { waitingCases } from './bus/waiting-cases.ts'
import type { BusCase, BusWorld } from './bus/world.ts'
import { writeCases } from './bus/write-cases.ts'

const CASE_MS = 30_000

/** What every driver does alike, in the same words for all of them. */
export const busCases: readonly BusCase[] = [
  ...topicCases,
  ...writeCases,
  ...groupCases,
  ...retryCases,
  ...replayCases,
  ...messageCases,
  ...waitingCases,
  ...requestCases,
  ...networkCases,
  ...transactionCases,
]

export type CreateBusWorld = () => Promise<BusWorld>

export interface BusConformanceOptions {
  /** The driver's name, in front of every test's. */
  readonly name: string
  readonly create: CreateBusWorld
  /** Names of cases that this driver does not run, each with the reason. */
  readonly skip?: Readonly<Record<string, string>>
  /** How long one case may take. Default 30,000. */
  readonly caseMs?: number
}

/** Registers the whole suite with `node:test`. */
export function busConformance(options: BusConformanceOptions): void {
  for (const busCase of busCases) {
    const skip = options.skip?.[busCase.name] ?? false
    test(`${options.name}: ${busCase.name}`, { skip, timeout: options.caseMs ?? CASE_MS }, () =>
      runBusCase(busCase, options.create),
    )
  }
}

/** Runs one case in a world of its own. Rejects with what went wrong. */
export async function runBusCase(busCase: BusCase, create: CreateBusWorld): Promise<void> {
  const world = await create()
  setPatience(world.patience)
  try {
    const missing = await missingOf(busCase, world)
    if (missing.length === 0) await busCase.run(world)
    else for (const feature of missing) await assertRefused(world, feature)
  } finally {
    await world.close()
  }
}

async function missingOf(busCase: BusCase, world: BusWorld): Promise<BusCase['needs']> {
  if (busCase.needs.length === 0) return []
  const name = 'suite.capabilities'
  await openTopic(world, { name })
  const { capabilities } = await world.bus.admin.describeTopic(name)
  return busCase.needs.filter((feature) => (capabilities satisfies Capabilities)[feature] === 'none')
}
