import { assert } from '../core/index.ts'
import { NOBODY, type NodeId } from './node-id.ts'
import type { RaftCore } from './raft-core.ts'

const NO_BYTES = new Uint8Array(0)

/** Enters a term as a follower, or goes on in it as one. */
export function becomeFollower(core: RaftCore, term: number, leader: NodeId): void {
  assert(core.role !== 'leader' || term > core.term || leader === NOBODY, `two leaders in term ${term}`)
  reset(core, term)
  core.role = 'follower'
  setLeader(core, leader)
}

/** Asks whether a campaign could be won; term and vote stay as they are. */
export function becomePreCandidate(core: RaftCore): void {
  assert(core.role !== 'leader', 'a leader does not campaign')
  core.role = 'pre-candidate'
  core.votes.clear()
  setLeader(core, NOBODY)
  restartElectionTimer(core)
}

/** Enters the next term and votes for itself there. */
export function becomeCandidate(core: RaftCore): void {
  assert(core.role !== 'leader', 'a leader does not campaign')
  reset(core, core.term + 1)
  core.role = 'candidate'
  core.vote = core.id
  setLeader(core, NOBODY)
}

/** Begins its term with an empty entry: only when an entry of its own is committed is what came before it, too. */
export function becomeLeader(core: RaftCore): void {
  assert(core.role === 'candidate', 'only a candidate becomes leader')
  const { log } = core
  reset(core, core.term)
  core.role = 'leader'
  setLeader(core, core.id)
  for (const progress of core.membership.progress.values()) progress.restart(log.lastIndex + 1)
  core.ownProgress?.accepted(log.stable)
  // What an earlier leader proposed and nobody has applied yet may be a change of configuration.
  core.pendingConfigIndex = log.lastIndex
  core.uncommittedBytes = log.dataBytes(log.commit + 1, log.lastIndex)
  log.append([{ index: log.lastIndex + 1, term: core.term, kind: 'empty', data: NO_BYTES }])
}

/** Reads that were sent to the old leader will get no answer. */
export function setLeader(core: RaftCore, leader: NodeId): void {
  if (core.leader === leader) return
  core.leader = leader
  core.abortedReads.push(...core.forwardedReads.abort())
}

/** A time without a leader begins now; its length is drawn anew, so that not all campaign at once. */
export function restartElectionTimer(core: RaftCore): void {
  const { electionTicks } = core.limits
  core.electionElapsed = 0
  core.electionTimeout = core.fixedElectionTimeout ?? electionTicks + Math.floor(core.random.float() * electionTicks)
}

function reset(core: RaftCore, term: number): void {
  assert(term >= core.term, 'a term never goes back')
  if (term > core.term) {
    core.term = term
    core.vote = NOBODY
  }
  core.votes.clear()
  core.heartbeatElapsed = 0
  core.transferTarget = NOBODY
  core.transferSent = false
  core.uncommittedBytes = 0
  core.abortedReads.push(...core.readRounds.abort())
  restartElectionTimer(core)
}
