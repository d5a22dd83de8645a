import type { BusWorld } from '../../testing/index.ts'

/** A driver that the suite is run against: its server, started for this run. */
export interface TestedDriver {
  /** Name and version, as the server says it. */
  readonly server: string
  readonly create: () => Promise<BusWorld>
  /** How long one case may take. Default 30,000. */
  readonly caseMs?: number
  /** Names of cases that are not run, each with the reason. */
  readonly skip?: Readonly<Record<string, string>>
  /** Ends the server. */
  stop(): Promise<void>
}

export type StartDriver = () => Promise<TestedDriver>
