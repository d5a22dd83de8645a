import { type Random, SkeinError } from '../core/index.ts'
import type { Configuration } from './configuration.ts'
import type { Entry } from './entry.ts'
import type { HardState } from './hard-state.ts'
import type { NodeId } from './node-id.ts'
import type { SnapshotMetadata } from './snapshot-metadata.ts'

/** What a node starts from: read from its disk, made by `bootstrapState()`, or made up for a scenario. */
export interface InitialState {
  /** Default: the term of the last entry or snapshot, no vote, committed through the snapshot. */
  readonly hardState?: HardState | undefined
  /** The newest durable snapshot. */
  readonly snapshot?: SnapshotMetadata | undefined
  /** The stored log, without gaps, from the entry behind the snapshot (or earlier: from wherever it is kept). */
  readonly entries?: readonly Entry[] | undefined
  /** What the state machine holds already. Default: the snapshot's index, or 0. */
  readonly applied?: number | undefined
  /** As it was when `applied` had been applied. Default: the snapshot's, or the empty one. */
  readonly configuration?: Configuration | undefined
}

export interface RaftLimits {
  /** Ticks between heartbeats of a leader. Default 1. */
  readonly heartbeatTicks: number
  /** A follower campaigns after this many ticks without a leader, and up to twice as many. Default 10. */
  readonly electionTicks: number
  /** Asks whether a campaign could be won before raising the term (dissertation, 9.6). Default true. */
  readonly preVote: boolean
  /** A leader that hears from no quorum for an election timeout steps down; followers that hear from a leader grant no votes. Default true. */
  readonly checkQuorum: boolean
  /** Largest total of entries in one append, unless a single one is larger. Default 512 KiB. */
  readonly messageBytesMax: number
  /** Appends on their way to one peer. Default 64, at most 65,536. */
  readonly inflightMessagesMax: number
  /** Bytes of entries on their way to one peer. Default 4 MiB. */
  readonly inflightBytesMax: number
  /** Bytes of one proposed entry. Default 1 MiB. */
  readonly entryBytesMax: number
  /** Bytes proposed and not yet committed; beyond them proposals are refused. Default 64 MiB. */
  readonly uncommittedBytesMax: number
  /** Bytes handed out to be applied and not yet reported as applied. Default 16 MiB. */
  readonly applyBytesMax: number
  /** Reads waiting for a quorum or for a leader's first commit; beyond them they are aborted. Default 65,536. */
  readonly pendingReadsMax: number
}

export interface RaftOptions extends Partial<RaftLimits> {
  readonly id: NodeId
  /** Draws election timeouts, and the first id of forwarded reads. */
  readonly random: Random
  /** Default: an empty node that waits to be added. */
  readonly state?: InitialState
}

const DEFAULTS: RaftLimits = {
  heartbeatTicks: 1,
  electionTicks: 10,
  preVote: true,
  checkQuorum: true,
  messageBytesMax: 512 * 1_024,
  inflightMessagesMax: 64,
  inflightBytesMax: 4 * 1_024 * 1_024,
  entryBytesMax: 1_024 * 1_024,
  uncommittedBytesMax: 64 * 1_024 * 1_024,
  applyBytesMax: 16 * 1_024 * 1_024,
  pendingReadsMax: 65_536,
}

const INFLIGHT_MESSAGES_MAX = 65_536

/** The limits with their defaults. Throws `bad-argument` for one that cannot be. */
export function resolveLimits(given: Partial<RaftLimits>): RaftLimits {
  const limits = { ...DEFAULTS, ...given }
  for (const [name, value] of Object.entries(limits)) {
    if (typeof value === 'boolean' || (Number.isSafeInteger(value) && value >= 1)) continue
    throw new SkeinError('bad-argument', `Cannot use ${name} = ${value}: it must be a whole number from 1`)
  }
  if (limits.inflightMessagesMax > INFLIGHT_MESSAGES_MAX) {
    const problem = `it must be at most ${INFLIGHT_MESSAGES_MAX}: room for them is kept for every peer`
    throw new SkeinError('bad-argument', `Cannot use inflightMessagesMax = ${limits.inflightMessagesMax}: ${problem}`)
  }
  if (limits.electionTicks <= limits.heartbeatTicks) {
    const { electionTicks, heartbeatTicks } = limits
    const problem = `electionTicks is ${electionTicks}, it must be more than heartbeatTicks, which is ${heartbeatTicks}`
    throw new SkeinError('bad-argument', `Cannot use these limits: ${problem}`)
  }
  return limits
}
