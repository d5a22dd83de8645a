import type { Message, RaftStatus } from '../../../src/raft/index.ts'
import { Violation } from '../violation.ts'

/** A follower calls committed what this message shows to be equal to the leader's log, and nothing behind it (paper, figure 2). */
export function checkEntitledCommit(
  message: Message,
  { before, after }: { readonly before: RaftStatus; readonly after: RaftStatus },
): void {
  if (after.role === 'leader' || after.commit <= Math.max(before.commit, entitledBy(message))) return
  const what = `node ${after.id} went from commit ${before.commit} to ${after.commit} on a "${message.type}" that shows ${entitledBy(message)}`
  throw new Violation('a message commits no more than it verifies', what)
}

function entitledBy(message: Message): number {
  if (message.type === 'append') return Math.min(message.commit, message.prevIndex + message.entries.length)
  if (message.type === 'snapshot') return message.snapshot.index
  const tells = message.type === 'heartbeat' || message.type === 'vote-request' || message.type === 'vote-reply'
  return tells ? message.commit : 0
}
