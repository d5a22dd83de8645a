import type { Bus } from '../../bus/index.ts'
import type { Admission, CommandSender, Roster } from '../../channel/index.ts'
import type { LogEntry, LogStatus, ReplicatedLog, SnapshotRef } from '../../consensus/index.ts'
import type { Clock, Random } from '../../core/index.ts'

/** Whether a probe passes, and what it looked at. */
export interface ProbeReport {
  readonly ok: boolean
  readonly checks: Readonly<Record<string, string>>
}

export interface Probes {
  /** The process works: when not, only a restart helps. */
  live(): ProbeReport
  /** It can take work now: when not, send none, but leave it running. */
  ready(): ProbeReport
  /** It has finished starting. */
  started(): ProbeReport
}

/** Part of a replicated log, and where to ask for what follows. */
export interface LogPage {
  readonly entries: readonly LogEntry[]
  readonly next: number
}

/** A replicated log of which this node is a member. */
export interface HostedLog {
  readonly log: ReplicatedLog
  readonly status: LogStatus
  /** How the others are reached, as plain data. */
  connections(): unknown
  /** Where the HTTP of a member is, as far as this node was told. */
  urlOf(member: string): string | undefined
  /**
   * At most so many commands at or behind an index, as soon as there are any; none when there are none through `through`.
   * Those in a snapshot are given out of it.
   */
  page(
    from: number,
    options: { readonly max: number; readonly through: number; readonly signal: AbortSignal },
  ): Promise<LogPage>
  /** Puts what is committed into a snapshot, and lets go of entries but the last few; undefined when there is nothing new. */
  takeSnapshot(keep: number): Promise<SnapshotRef | undefined>
}

/** What the routes stand on. */
export interface GatewayServices {
  readonly bus: Bus
  readonly clock: Clock
  readonly random: Random
  readonly roster: Roster
  readonly commands: Pick<CommandSender, 'send' | 'outcome'>
  readonly probes: Probes
  /** By name. Default: none. */
  readonly logs?: ReadonlyMap<string, HostedLog> | undefined
  /** What may be published and sent. Default: everything. */
  readonly admission?: Admission | undefined
  /** Bytes of commands that one connection may have waiting for their outcomes. */
  readonly pendingBytesMax: number
  /** Aborted when the gateway drains: streams end, waiting ends. */
  readonly signal: AbortSignal
}
