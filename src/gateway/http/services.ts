import type { Bus } from '../../bus/index.ts'
import type { Admission, CommandSender, Roster } from '../../channel/index.ts'
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

/** What the routes stand on. */
export interface GatewayServices {
  readonly bus: Bus
  readonly clock: Clock
  readonly random: Random
  readonly roster: Roster
  readonly commands: Pick<CommandSender, 'send' | 'outcome'>
  readonly probes: Probes
  /** What may be published and sent. Default: everything. */
  readonly admission?: Admission | undefined
  /** Bytes of commands that one connection may have waiting for their outcomes. */
  readonly pendingBytesMax: number
  /** Aborted when the gateway drains: streams end, waiting ends. */
  readonly signal: AbortSignal
}
