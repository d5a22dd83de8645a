import { SkeinError } from '../core/index.ts'
import { NotLeaderError } from './errors.ts'
import { NOBODY, type NodeId } from './node-id.ts'
import type { RaftCore } from './raft-core.ts'

/** Hands over (dissertation, 3.10): no more proposals, bring the target up to date, tell it to campaign. */
export function transferLeadership(core: RaftCore, target: NodeId): void {
  if (core.role === 'leader') {
    if (target !== core.id && !core.quorums.voters.includes(target)) {
      throw new SkeinError('bad-argument', `Cannot hand leadership to node ${target}: it is no voter; choose one`)
    }
    beginTransfer(core, target)
  } else {
    const { leader, id: from, term } = core
    if (leader === NOBODY) throw new NotLeaderError('hand over leadership', NOBODY)
    core.outbox.atOnce({ type: 'transfer', from, to: leader, term, target })
  }
}

/** A follower asked; one that names no voter is passed over, it knows an older configuration. */
export function handleTransfer(core: RaftCore, target: NodeId): void {
  if (core.role === 'leader' && core.quorums.voters.includes(target)) beginTransfer(core, target)
}

function beginTransfer(core: RaftCore, target: NodeId): void {
  if (core.transferTarget === target) return
  core.transferTarget = target === core.id ? NOBODY : target
  core.transferSent = false
  core.transferElapsed = 0
  continueTransfer(core, target)
}

/** The target's log grew: once it has everything it may campaign, and will win. */
export function continueTransfer(core: RaftCore, id: NodeId): void {
  if (core.transferTarget !== id || core.transferSent) return
  if (core.membership.progress.get(id)?.match !== core.log.lastIndex) return
  core.transferSent = true
  core.outbox.atOnce({ type: 'timeout-now', from: core.id, to: id, term: core.term })
}

/**
 * It has an election timeout to succeed, then this node leads on. Counted apart from the check of the quorum, which
 * transfers that are begun one after the other would otherwise put off for as long.
 */
export function tickTransfer(core: RaftCore): void {
  core.transferElapsed += 1
  if (core.transferElapsed >= core.limits.electionTicks) abortTransfer(core)
}

export function abortTransfer(core: RaftCore): void {
  core.transferTarget = NOBODY
  core.transferSent = false
}
