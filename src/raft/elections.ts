import type { VoteReplyMessage, VoteRequestMessage } from './message.ts'
import { NOBODY, type NodeId } from './node-id.ts'
import { voteResult } from './quorum.ts'
import type { RaftCore } from './raft-core.ts'
import { becomeCandidate, becomeFollower, becomeLeader, becomePreCandidate } from './roles.ts'

function commitNews({ log }: RaftCore): { readonly commit: number; readonly commitTerm: number } {
  return { commit: log.commit, commitTerm: log.term(log.commit)! }
}

/**
 * Learns from a candidate, or from who answered one, what is committed: true whatever the term of the message. A campaign
 * that turns out to go by a configuration that was left ends here.
 */
export function commitByVote(core: RaftCore, { commit, commitTerm }: VoteRequestMessage | VoteReplyMessage): void {
  if (core.role === 'leader' || !core.log.matches(commit, commitTerm) || !core.log.commitTo(commit)) return
  if (core.role !== 'follower' && !isPromotable(core)) becomeFollower(core, core.term, NOBODY)
}

/** Campaigns, if this node may. `transfer`: the leader asked for it, so nobody is asked beforehand and no lease holds. */
export function campaign(core: RaftCore, options: { readonly transfer: boolean }): void {
  if (core.role === 'leader' || !isPromotable(core)) return
  if (core.limits.preVote && !options.transfer) {
    becomePreCandidate(core)
    // Its own pre-vote promises nothing, so it need not be durable to count.
    requestVotes(core, { preVote: true, transfer: false })
    countVote(core, core.id, true)
  } else becomeCandidateAndAsk(core, options.transfer)
}

function becomeCandidateAndAsk(core: RaftCore, transfer: boolean): void {
  becomeCandidate(core)
  requestVotes(core, { preVote: false, transfer })
}

/** The candidate's vote for itself counts as soon as it is durable, like any other. */
export function countOwnVote(core: RaftCore): void {
  if (core.role !== 'candidate' || core.votes.has(core.id)) return
  if (core.durableTerm === core.term && core.durableVote === core.id) countVote(core, core.id, true)
}

/**
 * Only a voter campaigns, and none that has committed changes of configuration before it, which it has not applied: it
 * would ask for votes by a configuration that the group has already left.
 */
function isPromotable(core: RaftCore): boolean {
  const { voters, votersOutgoing } = core.quorums
  if (!voters.includes(core.id) && !votersOutgoing.includes(core.id)) return false
  if (core.log.pendingSnapshot !== undefined) return false
  return !core.log.hasConfigEntry(core.applied + 1, core.log.commit)
}

/** Requests leave after the persist: term and own vote are durable before anybody else is asked (paper, 5.2). */
function requestVotes(core: RaftCore, options: { readonly preVote: boolean; readonly transfer: boolean }): void {
  const { log } = core
  const term = options.preVote ? core.term + 1 : core.term
  const request = { type: 'vote-request', from: core.id, term, ...commitNews(core), ...options } as const
  for (const [id] of core.others) {
    const { voters, votersOutgoing } = core.quorums
    if (!voters.includes(id) && !votersOutgoing.includes(id)) continue
    core.outbox.afterPersist({ ...request, to: id, lastIndex: log.lastIndex, lastTerm: log.lastTerm })
  }
}

/** A follower that hears from its leader helps nobody against it, unless the leader itself asked (dissertation, 4.2.3). */
export function isLeased(core: RaftCore, request: VoteRequestMessage): boolean {
  if (!core.limits.checkQuorum || request.transfer) return false
  return core.leader !== NOBODY && core.electionElapsed < core.limits.electionTicks
}

/**
 * Answers by term, vote and log alone. Whether this node or the candidate is a voter is not asked: it may know an older
 * configuration than the candidate does, and the election must not fail for that.
 */
export function handleVoteRequest(core: RaftCore, request: VoteRequestMessage): void {
  const { preVote, from } = request
  const isFree = core.vote === NOBODY && core.leader === NOBODY
  const may = core.vote === from || isFree || (preVote && request.term > core.term)
  const granted = may && core.log.isUpToDate(request.lastIndex, request.lastTerm)
  if (granted && !preVote) {
    core.vote = from
    core.electionElapsed = 0
  }
  replyToVote(core, request, granted)
}

export function replyToVote(core: RaftCore, request: VoteRequestMessage, granted: boolean): void {
  const { from: to, preVote } = request
  const term = granted && preVote ? request.term : core.term
  core.outbox.afterPersist({ type: 'vote-reply', from: core.id, to, term, preVote, granted, ...commitNews(core) })
}

export function handleVoteReply(core: RaftCore, reply: VoteReplyMessage): void {
  const isPending = reply.preVote
    ? core.role === 'pre-candidate' && reply.term === core.term + (reply.granted ? 1 : 0)
    : core.role === 'candidate' && reply.term === core.term
  if (isPending) countVote(core, reply.from, reply.granted)
}

function countVote(core: RaftCore, from: NodeId, granted: boolean): void {
  if (!core.votes.has(from)) core.votes.set(from, granted)
  const result = voteResult(core.quorums, (id) => core.votes.get(id))
  if (result === 'pending') return
  if (result === 'lost') becomeFollower(core, core.term, NOBODY)
  else if (core.role === 'pre-candidate') becomeCandidateAndAsk(core, false)
  else becomeLeader(core)
}
