import { campaign } from './elections.ts'
import { sendHeartbeats } from './leader-replication.ts'
import { leaveJointIfDue } from './membership.ts'
import { NOBODY } from './node-id.ts'
import { voteResult } from './quorum.ts'
import type { RaftCore } from './raft-core.ts'
import { becomeFollower, setLeader } from './roles.ts'
import { tickTransfer } from './transfer.ts'

/** A unit of time passed. */
export function tick(core: RaftCore): void {
  core.electionElapsed += 1
  if (core.role === 'leader') tickLeader(core)
  else {
    core.abortedReads.push(...core.forwardedReads.tick(core.limits.electionTicks))
    if (core.electionElapsed < core.electionTimeout) return
    // Also who may not campaign itself has lost its leader: it must not go on holding a lease against those who do.
    setLeader(core, NOBODY)
    campaign(core, { transfer: false })
  }
}

function tickLeader(core: RaftCore): void {
  if (core.electionElapsed >= core.limits.electionTicks) {
    core.electionElapsed = 0
    if (core.limits.checkQuorum) checkQuorum(core)
  }
  tickTransfer(core)
  core.heartbeatElapsed += 1
  // The check may have ended the leadership.
  if (core.role !== 'leader' || core.heartbeatElapsed < core.limits.heartbeatTicks) return
  core.heartbeatElapsed = 0
  sendHeartbeats(core)
  leaveJointIfDue(core)
}

/** A leader that no quorum has answered for an election timeout has perhaps been replaced already, and steps down. */
function checkQuorum(core: RaftCore): void {
  const { progress } = core.membership
  const result = voteResult(core.quorums, (id) => id === core.id || progress.get(id)?.recentlyActive === true)
  for (const [, peer] of core.others) peer.recentlyActive = false
  if (result !== 'won') becomeFollower(core, core.term, NOBODY)
}
