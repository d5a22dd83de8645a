import { isVoter } from './configuration.ts'
import type { NodeId } from './node-id.ts'
import type { Progress } from './progress.ts'
import type { RaftCore } from './raft-core.ts'
import type { PeerStatus, RaftStatus } from './raft-status.ts'

/** Everything about a node, as it is now. */
export function statusOf(core: RaftCore): RaftStatus {
  const { log } = core
  const peers = core.role === 'leader' ? [...core.membership.progress] : []
  return {
    id: core.id,
    role: core.role,
    leader: core.leader,
    term: core.term,
    vote: core.vote,
    commit: log.commit,
    applied: core.applied,
    firstIndex: log.firstIndex,
    lastIndex: log.lastIndex,
    lastTerm: log.lastTerm,
    stableIndex: log.stable,
    snapshotIndex: log.snapshot?.index ?? 0,
    configuration: core.quorums,
    peers: peers.sort(([left], [right]) => left - right).map(([id, progress]) => peerStatus(core, id, progress)),
    transferTarget: core.transferTarget,
    uncommittedBytes: core.uncommittedBytes,
    pendingReads: core.readRounds.count + core.forwardedReads.count,
    electionElapsed: core.electionElapsed,
    electionTimeout: core.electionTimeout,
  }
}

function peerStatus(core: RaftCore, id: NodeId, progress: Progress): PeerStatus {
  const { state, match, next, inflight, paused, recentlyActive, pendingSnapshot } = progress
  return {
    id,
    voter: isVoter(core.quorums, id),
    state,
    match,
    next,
    inflightMessages: inflight.count,
    inflightBytes: inflight.bytes,
    paused,
    recentlyActive,
    pendingSnapshot,
  }
}
