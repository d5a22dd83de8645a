import type { LogDurability, ReplicatedLog } from '../../src/consensus/index.ts'

/** A replicated log to be tested, made anew for each case and closed after it. */
export interface ReplicatedLogWorld {
  /** What an acknowledged append of this log survives. */
  readonly durability: LogDurability
  /** A command of one byte more is too large. */
  readonly commandBytesMax: number
  /** Whoever leads, once somebody does. */
  leader(): Promise<ReplicatedLog>
  /** A member that does not lead: of a group, or another reader of the same broker. */
  follower(): Promise<ReplicatedLog>
  /** Leadership goes to another member; resolves when that leads. The old leader stays open. */
  depose(): Promise<ReplicatedLog>
  /**
   * Every member ends, after a `drain` or as if it had been killed, and begins again on what was stored. Logs from before
   * are dead.
   */
  restart(how: 'drain' | 'kill'): Promise<void>
  close(): Promise<void>
}

/** One thing that every implementation does the same way. */
export interface ReplicatedLogCase {
  readonly name: string
  readonly run: (world: ReplicatedLogWorld) => Promise<void>
}
