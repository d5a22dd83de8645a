import { type Clock, type Disk, type Random, type SteadyClock, steadyClock } from '../core/index.ts'
import { systemClock, systemDisk, systemRandom } from '../core/system/index.ts'

/** What a fabric takes from the machine it runs on; tests and simulations hand in their own. */
export interface Machine {
  readonly clock: Clock
  readonly random: Random
  readonly disk: Disk
}

/** The same where this process is the node: its time never goes back. */
export interface NodeMachine extends Machine {
  readonly clock: SteadyClock
}

export function machineOf(given: Partial<Machine>): NodeMachine {
  const { clock = systemClock, random = systemRandom, disk = systemDisk() } = given
  return { clock: steadyClock(clock), random, disk }
}
