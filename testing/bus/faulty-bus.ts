import type { Bus } from '../../src/bus/index.ts'

/** A bus with one fault, made of a sound one: the suite must fail it. */
export interface FaultyBus {
  readonly name: string
  /** Called again with each new bus after a restart. */
  readonly wrap: (bus: Bus) => Bus
}
