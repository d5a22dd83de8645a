import { assert, SkeinError } from '../core/index.ts'
import { changeMembership, type Membership } from './change-configuration.ts'
import type { ConfigChange } from './config-change.ts'
import { decodeConfigChange, encodeConfigChange } from './config-change-codec.ts'
import { type Configuration, isJoint, isVoter, membersOf } from './configuration.ts'
import type { Entry } from './entry.ts'
import { ConfigChangeError } from './errors.ts'
import { readRoundConfirmed } from './leader-reads.ts'
import { advanceCommit } from './leader-replication.ts'
import { NOBODY, type NodeId } from './node-id.ts'
import { Progress } from './progress.ts'
import { appendOwn, checkMayPropose, type Proposed } from './proposals.ts'
import type { RaftCore } from './raft-core.ts'
import { becomeFollower } from './roles.ts'
import type { SnapshotMetadata } from './snapshot-metadata.ts'
import { abortTransfer } from './transfer.ts'

/**
 * One change at a time, and none before this leader has committed an entry of its own term: else two leaders could each
 * change the same old configuration, to two that share no majority.
 */
export function proposeConfigChange(core: RaftCore, change: ConfigChange): Proposed {
  checkMayPropose(core, 'change the configuration')
  if (core.log.term(core.log.commit) !== core.term) {
    throw new ConfigChangeError('no-commit-in-term', 'this leader has committed nothing in its term yet; try again')
  }
  if (core.pendingConfigIndex > core.applied) {
    throw new ConfigChangeError('change-pending', 'an earlier change is not applied yet; try again')
  }
  const after = changed(core, change).configuration
  checkDemotedFirst(change, after)
  return appendConfigChange(core, change)
}

/**
 * A voter that is removed outright may be gone, with its disk, before everyone has left the joint configuration in which
 * its vote is still needed. As a learner it still answers until its removal is committed, which then changes no quorum.
 */
function checkDemotedFirst(change: ConfigChange, after: Configuration): void {
  if (change.mode === 'leave' || !isJoint(after)) return
  const removed = after.votersOutgoing.find((id) => !after.voters.includes(id) && !after.learnersNext.includes(id))
  if (removed === undefined) return
  throw new ConfigChangeError('demote-first', `node ${removed} votes; make it a learner in this change, then remove it`)
}

function appendConfigChange(core: RaftCore, change: ConfigChange): Proposed {
  const proposed = appendOwn(core, 'config', [encodeConfigChange(change)])
  core.pendingConfigIndex = proposed.last
  return proposed
}

/** A leader that has applied a joint configuration leaves it, where that was asked. */
export function leaveJointIfDue(core: RaftCore): void {
  if (core.role !== 'leader' || !isJoint(core.quorums) || !core.quorums.autoLeave) return
  if (core.pendingConfigIndex > core.applied || core.transferTarget !== NOBODY) return
  if (core.log.term(core.log.commit) !== core.term) return
  appendConfigChange(core, { mode: 'leave', changes: [] })
}

/** Makes a committed change effective. One that the configuration does not allow changes nothing, on every node alike. */
export function applyConfigChange(core: RaftCore, entry: Entry): Configuration {
  assert(entry.kind === 'config', `entry ${entry.index} is no change of configuration`)
  assert(entry.index <= core.handedToApply, `entry ${entry.index} was not handed out to be applied`)
  core.handedConfigIndexes = core.handedConfigIndexes.filter((index) => index !== entry.index)
  // A snapshot may have brought a later configuration meanwhile.
  if (entry.index > core.configurationIndex) installMembership(core, entry.index, changedOrSame(core, entry))
  return core.quorums
}

function changedOrSame(core: RaftCore, entry: Entry): Membership<Progress> {
  try {
    return changed(core, decodeConfigChange(entry.data))
  } catch (error) {
    if (error instanceof ConfigChangeError) return core.membership
    throw error
  }
}

function changed(core: RaftCore, change: ConfigChange): Membership<Progress> {
  return changeMembership(core.membership, change, { newProgress: () => newProgress(core) })
}

/** Counted as active at first: it had no chance yet to be heard. */
function newProgress(core: RaftCore): Progress {
  const { inflightMessagesMax: messagesMax, inflightBytesMax: bytesMax } = core.limits
  const progress = new Progress({ messagesMax, bytesMax }, core.log.lastIndex + 1)
  progress.recentlyActive = true
  return progress
}

/** Takes over a configuration from outside: from the stored state or a snapshot. */
export function installConfiguration(core: RaftCore, index: number, configuration: Configuration): void {
  const progress = new Map<NodeId, Progress>()
  for (const id of membersOf(configuration)) progress.set(id, newProgress(core))
  installMembership(core, index, { configuration, progress })
}

function installMembership(core: RaftCore, index: number, membership: Membership<Progress>): void {
  core.membership = membership
  core.others = [...membership.progress].filter(([id]) => id !== core.id)
  core.configurationIndex = index
  if (core.configurations.at(-1)?.index === index) core.configurations.pop()
  core.configurations.push({ index, configuration: membership.configuration })
  if (core.role === 'leader') adaptLeader(core)
}

/** The quorum changed: so may what it has committed and confirmed, and whether this node may lead at all. */
function adaptLeader(core: RaftCore): void {
  if (!isVoter(core.quorums, core.id)) {
    becomeFollower(core, core.term, NOBODY)
    return
  }
  if (core.transferTarget !== NOBODY && !core.quorums.voters.includes(core.transferTarget)) abortTransfer(core)
  advanceCommit(core)
  readRoundConfirmed(core)
}

/** The configuration of a snapshot is that of its last entry, whatever has been applied since. */
export function snapshotMetadata(core: RaftCore, index: number): SnapshotMetadata {
  const term = core.log.term(index)
  const then = core.configurations.findLast((made) => made.index <= index)
  if (term === undefined || then === undefined || index > core.applied) {
    const kept = `entries ${core.configurations[0]!.index} to ${core.applied}`
    throw new SkeinError('bad-argument', `Cannot describe a snapshot at entry ${index}: it can end at ${kept}`)
  }
  return { index, term, configuration: then.configuration }
}

/** No snapshot will end before this entry any more. */
export function forgetConfigurationsBefore(core: RaftCore, index: number): void {
  const first = core.configurations.findLastIndex((made) => made.index <= index)
  if (first > 0) core.configurations.splice(0, first)
}
