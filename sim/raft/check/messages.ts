import { entryBytes, type Message } from '../../../src/raft/index.ts'
import { Violation } from '../violation.ts'
import { voteKey } from './elections.ts'
import type { GroupRecord } from './group-record.ts'
import type { InvariantLimits } from './invariant-limits.ts'
import type { NodeRecord } from './node-record.ts'
import { checkVerified } from './verified.ts'

interface Surroundings {
  readonly limits: InvariantLimits
  readonly group: GroupRecord
  readonly sender: NodeRecord
  readonly receiver: NodeRecord | undefined
}

type Of<Type extends Message['type']> = Extract<Message, { readonly type: Type }>

/** What a message says must be true when it leaves: above all, what it promises must be on the sender's disk. */
export function checkMessage(message: Message, surroundings: Surroundings): void {
  if (message.type === 'vote-request') checkVoteRequest(message, surroundings)
  else if (message.type === 'vote-reply') checkVoteReply(message, surroundings)
  else if (message.type === 'append') checkAppend(message, surroundings)
  else if (message.type === 'append-accepted') checkAccepted(message, surroundings)
  else if (message.type === 'heartbeat') checkHeartbeat(message, surroundings)
  else if (message.type === 'snapshot') checkSnapshot(message, surroundings)
  else if (message.type === 'timeout-now') checkTimeoutNow(message, surroundings)
  else if (message.type === 'read-request') checkReadRequest(message, surroundings)
}

function checkVoteRequest({ from, term, preVote }: Of<'vote-request'>, { sender, group }: Surroundings): void {
  if (preVote) return
  group.votes(from, from, term)
  const stored = sender.disk.vote
  if (stored !== undefined && (stored.term > term || (stored.term === term && stored.vote === from))) return
  throw new Violation('a vote is durable before it is told', `node ${from} campaigns in term ${term} before it is`)
}

function checkVoteReply({ from, to, term, preVote, granted }: Of<'vote-reply'>, { sender, group }: Surroundings): void {
  if (!granted) return
  const key = voteKey({ from: to, term, preVote })
  if (sender.behind.has(key) && !sender.fit.has(key)) {
    throw new Violation('nobody helps who lacks entries', `node ${from} helps node ${to} to term ${term}`)
  }
  if (sender.leased.has(key)) {
    const what = `node ${from} hears from its leader and helps node ${to} to term ${term}`
    throw new Violation('who hears from a leader helps nobody against it', what)
  }
  if (preVote) return
  group.votes(from, to, term)
  const stored = sender.disk.vote
  if (stored !== undefined && (stored.term > term || (stored.term === term && stored.vote === to))) return
  throw new Violation(
    'a vote is durable before it is told',
    `node ${from} votes for ${to} in term ${term} before it is`,
  )
}

function checkAppend(message: Of<'append'>, { sender, group, limits }: Surroundings): void {
  const { from, to, term, prevIndex, prevTerm, entries } = message
  if (sender.term === term && sender.role !== 'leader') {
    throw new Violation('only a leader appends', `node ${from} does in term ${term}`)
  }
  let previousTerm = prevTerm
  let bytes = 0
  for (const [at, entry] of entries.entries()) {
    if (entry.index !== prevIndex + 1 + at) throw new Violation('an append has no gap', `from node ${from}`)
    group.holds(from, entry, previousTerm)
    previousTerm = entry.term
    bytes += entryBytes(entry)
  }
  if (entries.length > 1 && bytes > limits.messageBytesMax) {
    throw new Violation('an append is bounded', `${bytes} bytes from node ${from} to ${to}`)
  }
  if (entries.length > 0) countUnheard(message, { sender, limits, bytes })
}

/** Nothing has come back from the peer, so nothing can have been freed: all of this is in flight. */
function countUnheard(
  { from, to }: Of<'append'>,
  { sender, limits, bytes }: { readonly sender: NodeRecord; readonly limits: InvariantLimits; readonly bytes: number },
): void {
  const unheard = sender.unheard.get(to) ?? { messages: 0, bytes: 0 }
  const isFull = unheard.messages >= limits.inflightMessagesMax || unheard.bytes >= limits.inflightBytesMax
  unheard.messages += 1
  unheard.bytes += bytes
  sender.unheard.set(to, unheard)
  if (!isFull) return
  const what = `node ${from} has sent node ${to} ${unheard.messages} appends, ${unheard.bytes} bytes, and heard nothing`
  throw new Violation('the window in flight is bounded', what)
}

function checkAccepted(message: Of<'append-accepted'>, { sender, group }: Surroundings): void {
  const { from, term, index } = message
  // It waited for its persist while another leader took over: nobody will count it.
  if (term < sender.term) return
  checkVerified(message, sender)
  sender.disk.refresh()
  const { log } = sender.disk
  const stored = log.term(index)
  const isCovered = index <= log.startIndex || sender.disk.snapshotIndex >= index
  const isThere = stored !== undefined && (stored === sender.log.term(index) || index <= sender.log.startIndex)
  if (!isCovered && !isThere && !sender.isDamaged) {
    const what = `node ${from} acknowledges entry ${index} in term ${term}; its disk ends at ${log.lastIndex}`
    throw new Violation('an acknowledgment that leaves is durable', what)
  }
  const storedTerm = sender.disk.vote?.term ?? 0
  if (storedTerm < term) {
    throw new Violation('an acknowledgment that leaves is durable', `node ${from} has not stored term ${term}`)
  }
  if (index > sender.acknowledged.index || (stored ?? 0) > sender.acknowledged.term) {
    sender.acknowledged = { index, term: stored ?? group.committedTerm(index) ?? 0 }
  }
}

function checkHeartbeat({ from, to, commit }: Of<'heartbeat'>, { receiver, group }: Surroundings): void {
  const term = group.committedTerm(commit)
  if (commit === 0 || receiver === undefined || receiver.isDamaged) return
  if (term !== undefined && receiver.disk.has(commit, term)) return
  const what = `node ${from} tells node ${to} that entry ${commit} is committed; it has not acknowledged that`
  throw new Violation('a heartbeat commits only what was acknowledged', what)
}

function checkSnapshot({ from, snapshot }: Of<'snapshot'>, { group, sender }: Surroundings): void {
  if (group.committedTerm(snapshot.index) !== snapshot.term || snapshot.index > sender.commit) {
    throw new Violation('a snapshot holds what is committed', `node ${from} sends one of entry ${snapshot.index}`)
  }
  group.configuredAs(from, snapshot.index, snapshot.configuration)
}

/** An answer to an earlier life of the process must not be taken for one to this. */
function checkReadRequest({ from, request }: Of<'read-request'>, { sender }: Surroundings): void {
  if (sender.requests.has(request)) {
    throw new Violation('a read request is told from earlier ones', `node ${from} has asked as ${request} before`)
  }
  sender.requests.add(request)
}

function checkTimeoutNow({ from, to, term }: Of<'timeout-now'>, { sender, receiver }: Surroundings): void {
  if (receiver === undefined || receiver.isDamaged || sender.term !== term) return
  const { lastIndex, lastTerm } = sender.log
  if (receiver.disk.has(lastIndex, lastTerm)) return
  const what = `node ${from} hands over to node ${to}, which has not stored entry ${lastIndex}`
  throw new Violation('leadership goes to who is up to date', what)
}
