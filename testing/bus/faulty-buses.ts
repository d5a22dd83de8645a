import type { Bus } from '../../src/bus/index.ts'
import { consumingFaults } from './consuming-faults.ts'
import { delegate } from './delegate.ts'
import type { BusWorld } from './world.ts'
import { writingFaults } from './writing-faults.ts'

/** A bus with one fault, made of a sound one: the suite must fail it. */
export interface FaultyBus {
  readonly name: string
  /** Called again with each new bus after a restart. */
  readonly wrap: (bus: Bus) => Bus
}

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
