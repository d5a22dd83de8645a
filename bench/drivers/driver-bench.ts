import type { Service } from '../../test/services/service.ts'

export interface DriverRun {
  readonly ms: number
  readonly durability: string
}

export interface RunRequest {
  /** New for each run. */
  readonly name: string
  readonly messages: number
}

/** Ours beside somebody else's, each used as well as it can be, on the same server: both have everything read back. */
export interface DriverBench {
  /** Of `test/services/`. */
  readonly service: string
  readonly messages: number
  /** Runs of each side. More and shorter ones where what else the machine does shows most. Default 5. */
  readonly pairs?: number
  /** For the other side, and `aside`, where it is so slow that it gets fewer. Default: as many. */
  readonly otherMessages?: number
  /** Ours against the other, in messages per second. */
  readonly ratioMin: number
  ours(service: Service, run: RunRequest): Promise<DriverRun>
  other(service: Service, run: RunRequest): Promise<DriverRun>
  /** The other, used in another way: measured and shown under this name; the ratio is not of it. */
  readonly aside?: { readonly name: string; run(service: Service, run: RunRequest): Promise<DriverRun> }
  /** What a reader of the figures has to know of how each side was used: shown beside them. */
  readonly used?: Readonly<Record<string, number>>
}
