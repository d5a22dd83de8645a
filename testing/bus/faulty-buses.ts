import { consumingFaults } from './consuming-faults.ts'
import { delegate } from './delegate.ts'
import type { FaultyBus } from './faulty-bus.ts'
import type { BusWorld } from './world.ts'
import { writingFaults } from './writing-faults.ts'

/** What drivers get wrong. A suite that passes one of these proves nothing. */
export const faultyBuses: readonly FaultyBus[] = [...writingFaults, ...consumingFaults]

/** A world whose bus has the fault. */
export function faultyWorld(world: BusWorld, fault: FaultyBus): BusWorld {
  let bus = fault.wrap(world.bus)
  return delegate<BusWorld>(world, {
    get bus() {
      return bus
    },
    async restart(how) {
      bus = fault.wrap(await world.restart(how))
      return bus
    },
  })
}
