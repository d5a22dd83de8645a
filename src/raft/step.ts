import { checkMessage } from './check-message.ts'
import { campaign, commitByVote, handleVoteReply, handleVoteRequest, isLeased, replyToVote } from './elections.ts'
import { followLeader, handleAppend, handleHeartbeat, handleSnapshot } from './following.ts'
import { handleAppendAccepted, handleAppendRejected, handleHeartbeatReply } from './leader-replication.ts'
import type { Message, ReadReplyMessage } from './message.ts'
import { NOBODY } from './node-id.ts'
import type { RaftCore } from './raft-core.ts'
import { becomeFollower } from './roles.ts'
import { handleTransfer } from './transfer.ts'

type MessageToLeader = Extract<
  Message,
  { type: 'append-accepted' | 'append-rejected' | 'heartbeat-reply' | 'transfer' | 'read-request' }
>

/** Takes in a message: first what its term means, then what it says. */
export function step(core: RaftCore, message: Message): void {
  checkMessage(core.id, message)
  if (message.type === 'vote-request' || message.type === 'vote-reply') commitByVote(core, message)
  if (message.term > core.term && !takeHigherTerm(core, message)) return
  if (message.term < core.term) answerLowerTerm(core, message)
  else dispatch(core, message)
}

/** A newer term makes a follower of anyone. False when the message is to be passed over. */
function takeHigherTerm(core: RaftCore, message: Message): boolean {
  const { type, term } = message
  if (type === 'vote-request') {
    if (isLeased(core, message)) return false
    if (message.preVote) return true
  }
  // The grant of a pre-vote has the term that would be campaigned for, in which nobody is yet.
  if (type === 'vote-reply' && message.preVote && message.granted) return true
  const isFromLeader = type === 'append' || type === 'heartbeat' || type === 'snapshot'
  becomeFollower(core, term, isFromLeader ? message.from : NOBODY)
  return true
}

/**
 * A message of a term that is over. A leader of it is told of the newer term: it could be this node that cannot win an
 * election there, and a leader that never heard of it could not bring it back in. A candidate is told, too.
 */
function answerLowerTerm(core: RaftCore, message: Message): void {
  const { from: to, type } = message
  if (type === 'vote-request') replyToVote(core, message, false)
  else if (type === 'append' || type === 'heartbeat' || type === 'snapshot') {
    core.outbox.afterPersist({ type: 'heartbeat-reply', from: core.id, to, term: core.term, readRound: 0 })
  }
}

function dispatch(core: RaftCore, message: Message): void {
  switch (message.type) {
    case 'vote-request':
      handleVoteRequest(core, message)
      break
    case 'vote-reply':
      handleVoteReply(core, message)
      break
    case 'append':
      followLeader(core, message.from)
      handleAppend(core, message)
      break
    case 'heartbeat':
      followLeader(core, message.from)
      handleHeartbeat(core, message)
      break
    case 'snapshot':
      followLeader(core, message.from)
      handleSnapshot(core, message)
      break
    case 'timeout-now':
      campaign(core, { transfer: true })
      break
    case 'read-reply':
      takeReadReply(core, message)
      break
    default:
      if (core.role === 'leader') toLeader(core, message)
  }
}

function takeReadReply(core: RaftCore, { request, index }: ReadReplyMessage): void {
  for (const context of core.forwardedReads.answered(request)) core.readStates.push({ index, context })
}

function toLeader(core: RaftCore, message: MessageToLeader): void {
  switch (message.type) {
    case 'append-accepted':
      handleAppendAccepted(core, message)
      break
    case 'append-rejected':
      handleAppendRejected(core, message)
      break
    case 'heartbeat-reply':
      handleHeartbeatReply(core, message)
      break
    case 'transfer':
      handleTransfer(core, message.target)
      break
    case 'read-request':
      // Without room it gets no answer, and whoever asked gives up in time.
      core.readRounds.addRemote({ from: message.from, request: message.request })
      break
    default:
      message satisfies never
  }
}
