import type { Patience } from './world.ts'

const IN_PROCESS: Patience = { comesWithinMs: 5_000, quietMs: 60 }

let current = IN_PROCESS

/** Of the world whose case runs now. */
export function patience(): Patience {
  return current
}

/** One world at a time, or several of one kind. */
export function setPatience(of: Patience | undefined): void {
  current = of ?? IN_PROCESS
}
