import type { RaftStatus } from '../../../src/raft/index.ts'
import { Violation } from '../violation.ts'
import type { NodeRecord } from './node-record.ts'

/**
 * What a leader believes of its peers, itself included: it only grows while it leads (paper, figure 2: `matchIndex`), and it
 * is true: the entry is on the peer's disk, unless a later leader has replaced it there.
 */
export function checkPeers(
  node: NodeRecord,
  status: RaftStatus,
  isDurableAt: (peer: number, entry: { readonly index: number; readonly term: number }) => boolean,
): void {
  const { id, term, lastIndex, peers } = status
  for (const peer of peers) {
    const before = node.matches.get(peer.id) ?? 0
    if (peer.match === before) continue
    if (peer.match < before) {
      const what = `leader ${id} took node ${peer.id} back from entry ${before} to ${peer.match} in term ${term}`
      throw new Violation('an acknowledgment is not forgotten', what)
    }
    node.matches.set(peer.id, peer.match)
    const entryTerm = node.log.term(peer.match)
    if (peer.match <= lastIndex && peer.match < peer.next) {
      if (entryTerm === undefined || isDurableAt(peer.id, { index: peer.match, term: entryTerm })) continue
    }
    const what = `leader ${id} counts entry ${peer.match} at node ${peer.id} in term ${term}; it is not on that disk`
    throw new Violation('what a leader counts is durable', what)
  }
  forgetAbsent(node, status)
}

/** Who was removed and comes again begins anew. */
function forgetAbsent({ matches }: NodeRecord, { peers }: RaftStatus): void {
  if (matches.size <= peers.length) return
  for (const id of matches.keys()) if (!peers.some((peer) => peer.id === id)) matches.delete(id)
}
