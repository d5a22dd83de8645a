import { isVoter, type Message, type RaftStatus } from '../../../src/raft/index.ts'
import { Violation } from '../violation.ts'
import type { GroupRecord } from './group-record.ts'
import type { InvariantLimits } from './invariant-limits.ts'
import type { NodeRecord } from './node-record.ts'
import { describeConfiguration, isQuorum } from './quorums.ts'

interface Change {
  readonly status: RaftStatus
  readonly group: GroupRecord
  readonly limits: InvariantLimits
}

/** A core entered a term, or another role in it. */
export function checkRole(node: NodeRecord, { status, group, limits }: Change): void {
  const { id, term, role, configuration } = status
  const isNewTerm = term > (node.status?.term ?? node.term)
  const campaigns = role === 'candidate' || role === 'leader'
  if (isNewTerm && campaigns) group.campaigned.add(term)
  if (isNewTerm && !group.campaigned.has(term)) {
    throw new Violation('a term begins with a campaign', `node ${id} entered term ${term}, for which nobody campaigned`)
  }
  const isNews = isNewTerm || role === 'leader' || role !== node.status?.role
  if (isNews && role !== 'follower' && !isVoter(configuration, id)) {
    throw new Violation('only voters campaign and lead', `node ${id} is ${role} in term ${term}`)
  }
  if (isNewTerm && campaigns && limits.preVote) checkAsked(node, status)
}

/** Who campaigns has asked before whether it could win, or was told to (dissertation, 9.6 and 3.10). */
function checkAsked(node: NodeRecord, { term, configuration }: RaftStatus): void {
  if (node.toldToCampaign.has(term - 1)) return
  const granted = node.preVotes.get(term)
  if (isQuorum(configuration, (id) => id === node.id || granted?.has(id) === true)) return
  const what = `node ${node.id} raised the term to ${term} without pre-votes`
  throw new Violation('nobody disturbs without a chance', what)
}

/** It leads a term from now on: by the votes of a quorum, its own stored like any other, and knowing nothing of its peers. */
export function checkElected({ id, votes, disk }: NodeRecord, { term, configuration, peers }: RaftStatus): void {
  const stored = disk.vote
  if (stored?.term !== term || stored.vote !== id) {
    throw new Violation('a vote is durable before it counts', `node ${id} leads term ${term} by one that is not`)
  }
  if (!isQuorum(configuration, (voter) => voter === id || votes.get(term)?.has(voter) === true)) {
    const voters = [...(votes.get(term) ?? [])].join(' ')
    const what = `node ${id} leads term ${term} with the votes of (${voters}) under ${describeConfiguration(configuration)}`
    throw new Violation('a leader has the votes of a quorum', what)
  }
  const known = peers.find((peer) => peer.id !== id && peer.match > 0)
  if (known === undefined) return
  const what = `node ${id} believes of node ${known.id} that it has entry ${known.match}, from an earlier term`
  throw new Violation('a new leader knows nothing of its peers', what)
}

type VoteRequest = Extract<Message, { readonly type: 'vote-request' }>

export function voteKey({ from, term, preVote }: Pick<VoteRequest, 'from' | 'term' | 'preVote'>): string {
  return `${from}@${term}${preVote ? 'pre' : ''}`
}

/** Whether the one who asks for a vote has what this node has: if it never had, it must not be helped (paper, 5.4.1). */
export function noteCandidate({ fit, behind, log }: NodeRecord, request: VoteRequest): void {
  const { lastIndex, lastTerm } = request
  const isFit = lastTerm > log.lastTerm || (lastTerm === log.lastTerm && lastIndex >= log.lastIndex)
  const key = voteKey(request)
  if (isFit) fit.add(key)
  else behind.add(key)
}
