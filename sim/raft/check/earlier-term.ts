import type { Message, RaftStatus } from '../../../src/raft/index.ts'
import { Violation } from '../violation.ts'

/** What was said in a term that is over is answered at most: it moves nobody's log, and nothing that a leader counts. */
export function checkEarlierTerm(
  message: Message,
  { before, after }: { readonly before: RaftStatus; readonly after: RaftStatus },
): void {
  if (message.term >= before.term) return
  const isMoved = after.term !== before.term || after.lastIndex !== before.lastIndex
  // That an entry is committed is true whoever says it, and may end a campaign that goes by a configuration that was left.
  const isNews = message.type === 'vote-request' || message.type === 'vote-reply'
  const isTurned = !isNews && (after.role !== before.role || after.leader !== before.leader)
  const isCounted = after.peers.some(({ match }, at) => match !== before.peers[at]?.match)
  if (!isMoved && !isTurned && !isCounted) return
  const what = `a "${message.type}" of term ${message.term} moved node ${after.id}, which is in term ${before.term}`
  throw new Violation('an earlier term moves nothing', what)
}
