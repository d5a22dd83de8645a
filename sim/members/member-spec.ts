/** What a member process is started with, as JSON in its argument. */
export interface MemberSpec {
  readonly id: number
  readonly cluster: string
  readonly directory: string
  /** For the other members, `host:port`. */
  readonly listen: string
  readonly bootstrap: ReadonlyArray<{ readonly id: number; readonly address: string }>
  /** Where this member reaches the others, when that is not what they say of themselves: through a proxy. */
  readonly addresses?: ReadonlyArray<{ readonly id: number; readonly address: string }>
  /** For clients; 0 lets the system choose. */
  readonly clientPort: number
  readonly heartbeatMs: number
  readonly electionTimeoutMs: number
  readonly machine: 'tally' | 'map'
  readonly segmentBytes?: number
  /** Entries held since the last snapshot, beyond which another is written. Default: none ever is. */
  readonly snapshotBytes?: number
  /** `fickle`: what was not synced is lost when the process is killed, as if the power had failed. */
  readonly disk: 'machine' | 'fickle'
}

/** What a member process is told or asked over its control channel; its answer has the same `call`. */
export type Control =
  | { readonly call: number; readonly status: true }
  /** Through a read point: everything that was acknowledged before is in it. */
  | { readonly call: number; readonly audit: true }
  /** From now on its wall clock is wrong by so much. */
  | { readonly call: number; readonly clockOffsetMs: number }
  /** From now on its disk has no room, or has some again. A `fickle` one only. */
  | { readonly call: number; readonly isDiskFull: boolean }
  /** From now on a sync takes so long. A `fickle` one only. */
  | { readonly call: number; readonly syncDelayMs: number }

export interface MemberStatus {
  readonly state: string
  readonly term: number
  readonly leader: number | undefined
  readonly committed: number
  /** Of every append that was acknowledged here. */
  readonly durabilities: readonly string[]
}

/** The first thing that a member process says. */
export interface MemberReady {
  readonly clientPort: number
}
