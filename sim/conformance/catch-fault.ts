import {
  type BusCase,
  busCases,
  type CreateBusWorld,
  type FaultyBus,
  faultyWorld,
  runBusCase,
} from '../../testing/index.ts'
import { EmbeddedWorld } from './embedded-world.ts'
import { timed } from './timed.ts'

const CASE_MS = 30_000

export interface FaultHunt {
  /** Worlds of the driver under test, sound ones. */
  readonly create: CreateBusWorld
  /** Those that pass without a fault: a case that fails anyway has caught nothing. Default: all. */
  readonly cases?: readonly BusCase[]
  /** Default 30,000. */
  readonly caseMs?: number
}

/** The first case that a faulty bus fails; undefined when the suite passes it, which is a failure of the suite. */
export async function catchFault(fault: FaultyBus, hunt: FaultHunt = IN_MEMORY): Promise<string | undefined> {
  const { cases = busCases, caseMs = CASE_MS } = hunt
  const create = async () => faultyWorld(await hunt.create(), fault)
  for (const busCase of await likelyFirst(fault, hunt, cases)) {
    const isCaught = await timed(runBusCase(busCase, create), caseMs).then(
      () => false,
      () => true,
    )
    if (isCaught) return busCase.name
  }
  return undefined
}

const IN_MEMORY: FaultHunt = { create: () => EmbeddedWorld.inMemory() }

/** What catches a fault in memory, where that is soon found, most likely catches it everywhere. */
async function likelyFirst(fault: FaultyBus, hunt: FaultHunt, cases: readonly BusCase[]): Promise<readonly BusCase[]> {
  if (hunt === IN_MEMORY) return cases
  const name = await catchFault(fault)
  return [...cases.filter((one) => one.name === name), ...cases.filter((one) => one.name !== name)]
}
