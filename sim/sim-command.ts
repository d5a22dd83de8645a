/** One simulation that `sim/sim.ts` can start. */
export interface SimCommand {
  /** Resolves to the exit code: 0 all is well, 1 a bar is missed. Throws for bad arguments. */
  run(args: readonly string[]): Promise<number>
}
