import { assert, SkeinError } from '../core/index.ts'
import { countOwnVote } from './elections.ts'
import { acknowledgeOwnLog } from './leader-replication.ts'
import { forgetConfigurationsBefore, leaveJointIfDue } from './membership.ts'
import type { RaftCore } from './raft-core.ts'
import type { PersistToken } from './ready.ts'
import type { SnapshotMetadata } from './snapshot-metadata.ts'

/** Writes became durable: what this node may count itself for. */
export function markPersisted(core: RaftCore, token: PersistToken): void {
  const proven = core.persists.done(token)
  if (proven === undefined) return
  core.log.stableThrough(proven.stable)
  core.durableTerm = proven.term
  core.durableVote = proven.vote
  countOwnVote(core)
  if (core.role === 'leader') acknowledgeOwnLog(core)
}

/** The state machine moved on. */
export function markApplied(core: RaftCore, index: number): void {
  assert(index <= core.handedToApply, `entry ${index} was applied, but not handed out`)
  assert(index >= core.applied, `entry ${index} was applied after entry ${core.applied}`)
  const skipped = core.handedConfigIndexes.find((config) => config <= index)
  assert(skipped === undefined, `entry ${skipped} was applied without applyConfigChange()`)
  core.applied = index
  core.applyWindow.applied(index)
  leaveJointIfDue(core)
}

export function markSnapshotTaken(core: RaftCore, snapshot: SnapshotMetadata): void {
  const { index, term } = snapshot
  assert(index <= core.applied, `a snapshot ends at entry ${index}, which is not applied`)
  const known = core.log.term(index)
  assert(
    known === undefined || known === term,
    `a snapshot says that entry ${index} is of term ${term}: it is of ${known}`,
  )
  core.log.snapshotTaken(snapshot)
}

export function compact(core: RaftCore, index: number): void {
  const covered = Math.min(core.log.snapshot?.index ?? 0, core.applied)
  if (!(Number.isSafeInteger(index) && index <= covered)) {
    throw new SkeinError(
      'bad-argument',
      `Cannot forget entries through ${index}: the snapshot and what is applied end at ${covered}`,
    )
  }
  core.log.compact(index)
  forgetConfigurationsBefore(core, index)
}
