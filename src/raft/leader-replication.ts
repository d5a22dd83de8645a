import { assert } from '../core/index.ts'
import { type Entry, entryBytes } from './entry.ts'
import { readRoundConfirmed } from './leader-reads.ts'
import type { AppendAcceptedMessage, AppendRejectedMessage, HeartbeatReplyMessage } from './message.ts'
import type { NodeId } from './node-id.ts'
import type { Progress } from './progress.ts'
import { committedIndex } from './quorum.ts'
import type { RaftCore } from './raft-core.ts'
import { continueTransfer } from './transfer.ts'

const NO_ENTRIES: readonly Entry[] = []

/** Sends every peer what it lacks, as far as its window allows. Once per `ready()`, so that what came together goes together. */
export function sendAppends(core: RaftCore): void {
  for (const [id, progress] of core.others) {
    while (sendAppend(core, id, progress)) {}
  }
}

/** Sends one append or snapshot; false when there is nothing more to be sent now. */
function sendAppend(core: RaftCore, id: NodeId, progress: Progress): boolean {
  const { log } = core
  if (progress.state === 'snapshot' || (progress.state === 'probe' && progress.paused)) return false
  const prevIndex = progress.next - 1
  const prevTerm = log.term(prevIndex)
  if (prevTerm === undefined) {
    sendSnapshot(core, id, progress)
    return false
  }
  const carries = !progress.paused && progress.next <= log.lastIndex
  if (!carries && !wantsNews(core, progress)) return false
  const entries = carries ? log.slice(progress.next, { bytesMax: core.limits.messageBytesMax }) : NO_ENTRIES
  const { term, id: from } = core
  core.outbox.atOnce({ type: 'append', from, to: id, term, prevIndex, prevTerm, entries, commit: log.commit })
  progress.sent(entries.length, { bytes: bytesOf(entries), commit: log.commit })
  return entries.length > 0
}

/** Whether an append without entries tells the peer or the leader something. */
function wantsNews(core: RaftCore, progress: Progress): boolean {
  return progress.state === 'probe' || progress.mustProbe || progress.needsCommit(core.log.commit)
}

function sendSnapshot(core: RaftCore, id: NodeId, progress: Progress): void {
  // To a peer that is away it would be carried in vain; its first answer to a heartbeat begins it.
  if (!progress.recentlyActive) return
  const { snapshot } = core.log
  assert(snapshot !== undefined, 'the log was compacted without a snapshot')
  progress.becomeSnapshot(snapshot.index)
  core.outbox.atOnce({ type: 'snapshot', from: core.id, to: id, term: core.term, snapshot })
}

function bytesOf(entries: readonly Entry[]): number {
  let bytes = 0
  for (const entry of entries) bytes += entryBytes(entry)
  return bytes
}

/** Tells everyone that the leader lives; carries the newest round of reads, so that a lost one is asked again. */
export function sendHeartbeats(core: RaftCore): void {
  const { id: from, term, log } = core
  for (const [to, progress] of core.others) {
    const commit = Math.min(progress.match, log.commit)
    core.outbox.atOnce({ type: 'heartbeat', from, to, term, commit, readRound: core.readRounds.latest })
  }
}

export function handleAppendAccepted(core: RaftCore, reply: AppendAcceptedMessage): void {
  const progress = core.membership.progress.get(reply.from)
  if (progress === undefined) return
  assert(
    reply.index <= core.log.lastIndex,
    `node ${reply.from} acknowledges entry ${reply.index}, which was never sent`,
  )
  progress.recentlyActive = true
  if (!progress.accepted(reply.index)) return
  if (progress.state === 'probe') progress.becomeReplicate()
  else if (progress.state === 'snapshot' && progress.match >= core.log.firstIndex - 1) progress.becomeReplicate()
  advanceCommit(core)
  continueTransfer(core, reply.from)
}

export function handleAppendRejected(core: RaftCore, reply: AppendRejectedMessage): void {
  const progress = core.membership.progress.get(reply.from)
  if (progress === undefined) return
  progress.recentlyActive = true
  // Jumps over a whole term at a time instead of one entry (paper, 5.3, last paragraphs).
  const hint =
    reply.hintTerm === 0 ? reply.hintIndex : core.log.lastIndexWithTerm(reply.hintIndex, reply.hintTerm).index
  progress.rejected(reply.index, hint)
}

export function handleHeartbeatReply(core: RaftCore, reply: HeartbeatReplyMessage): void {
  const progress = core.membership.progress.get(reply.from)
  if (progress === undefined) return
  progress.recentlyActive = true
  progress.heartbeatAnswered(core.log.lastIndex)
  if (reply.readRound <= progress.readRound) return
  progress.readRound = reply.readRound
  readRoundConfirmed(core)
}

export function reportUnreachable(core: RaftCore, id: NodeId): void {
  const progress = core.membership.progress.get(id)
  // What was sent ahead is lost with the message: find out where it stands.
  if (core.role === 'leader' && progress?.state === 'replicate') progress.becomeProbe()
}

export function reportSnapshot(core: RaftCore, id: NodeId, ok: boolean): void {
  const progress = core.membership.progress.get(id)
  if (core.role === 'leader' && progress?.state === 'snapshot') progress.snapshotEnded(ok)
}

/** This node's own log is durable through `stable`: the leader counts itself only now. */
export function acknowledgeOwnLog(core: RaftCore): void {
  if (core.ownProgress?.accepted(core.log.stable) === true) advanceCommit(core)
}

/** Commits what a quorum holds, but counts only entries of its own term (paper, 5.4.2 and figure 8). */
export function advanceCommit(core: RaftCore): void {
  const { log } = core
  const { progress } = core.membership
  const before = log.commit
  const index = committedIndex(core.quorums, (id) => progress.get(id)?.match ?? 0)
  if (index <= before || log.term(index) !== core.term) return
  log.commitTo(index)
  core.uncommittedBytes -= log.dataBytes(before + 1, index)
}
