import { installConfiguration } from './membership.ts'
import type { AppendMessage, HeartbeatMessage, SnapshotMessage } from './message.ts'
import { NOBODY, type NodeId } from './node-id.ts'
import type { RaftCore } from './raft-core.ts'
import { becomeFollower, setLeader } from './roles.ts'

/** Somebody leads this term: whatever this node was doing, it follows. */
export function followLeader(core: RaftCore, leader: NodeId): void {
  if (core.role !== 'follower') becomeFollower(core, core.term, leader)
  core.electionElapsed = 0
  setLeader(core, leader)
}

export function handleAppend(core: RaftCore, message: AppendMessage): void {
  const { log } = core
  const { prevIndex, prevTerm, entries } = message
  if (prevIndex < log.commit) {
    // An old message: what is committed is equal to the leader's log in any case.
    accept(core, message.from, log.commit)
  } else if (log.matches(prevIndex, prevTerm)) {
    const cut = log.merge(entries)
    if (cut !== undefined) core.persists.truncated(cut)
    // Only as far as this message shows the logs to be equal: behind it may lie another leader's entries.
    const verified = prevIndex + entries.length
    log.commitTo(Math.min(message.commit, verified))
    accept(core, message.from, verified)
  } else reject(core, message)
}

function accept(core: RaftCore, to: NodeId, index: number): void {
  core.outbox.afterPersist({ type: 'append-accepted', from: core.id, to, term: core.term, index })
}

function reject(core: RaftCore, { from: to, prevIndex, prevTerm }: AppendMessage): void {
  const { log, id: from, term } = core
  const hint = log.lastIndexWithTerm(prevIndex, prevTerm)
  core.outbox.afterPersist({
    type: 'append-rejected',
    from,
    to,
    term,
    index: prevIndex,
    hintIndex: hint.index,
    hintTerm: hint.term,
  })
}

export function handleHeartbeat(core: RaftCore, message: HeartbeatMessage): void {
  // The leader never tells more than this node has acknowledged to it, so the log has it.
  core.log.commitTo(message.commit)
  const { from: to, readRound } = message
  core.outbox.atOnce({ type: 'heartbeat-reply', from: core.id, to, term: core.term, readRound })
}

/** The contents have arrived whole. What is older than the log, or already in it, is not needed. */
export function handleSnapshot(core: RaftCore, message: SnapshotMessage): void {
  const { log } = core
  const { snapshot, from } = message
  if (snapshot.index > log.commit) {
    if (log.matches(snapshot.index, snapshot.term)) log.commitTo(snapshot.index)
    else {
      core.persists.truncated(log.restore(snapshot))
      core.handedToApply = snapshot.index
      core.handedConfigIndexes = []
      installConfiguration(core, snapshot.index, snapshot.configuration)
    }
  }
  accept(core, from, log.commit)
}

/** Its leader is known to be gone: it need not wait to vote for another. */
export function forgetLeader(core: RaftCore): void {
  if (core.role === 'follower') setLeader(core, NOBODY)
}
