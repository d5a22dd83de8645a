import { busCases, type FaultyBus, faultyWorld, runBusCase } from '../../testing/index.ts'
import { EmbeddedWorld } from './embedded-world.ts'
import { timed } from './timed.ts'

const CASE_MS = 30_000

/** The first case that a faulty bus fails; undefined when the suite passes it, which is a failure of the suite. */
export async function catchFault(fault: FaultyBus): Promise<string | undefined> {
  const create = async () => faultyWorld(await EmbeddedWorld.inMemory(), fault)
  for (const busCase of busCases) {
    const isCaught = await timed(runBusCase(busCase, create), CASE_MS).then(
      () => false,
      () => true,
    )
    if (isCaught) return busCase.name
  }
  return undefined
}
