import {
  type FaultyLog,
  faultyLogWorld,
  type ReplicatedLogCase,
  type ReplicatedLogWorld,
  replicatedLogCases,
  runReplicatedLogCase,
} from '../../testing/index.ts'
import { timed } from './timed.ts'

/** A faulty log may make a case wait for what never comes. */
const CASE_MS = 5_000

/** The first case that a faulty log fails; undefined when the suite passes it, which is a failure of the suite. */
export async function catchLogFault(
  fault: FaultyLog,
  hunted: { readonly create: () => Promise<ReplicatedLogWorld>; readonly cases?: readonly ReplicatedLogCase[] },
): Promise<string | undefined> {
  const create = async () => faultyLogWorld(await hunted.create(), fault)
  for (const one of hunted.cases ?? replicatedLogCases) {
    const isCaught = await timed(runReplicatedLogCase(one, create), CASE_MS).then(
      () => false,
      () => true,
    )
    if (isCaught) return one.name
  }
  return undefined
}
