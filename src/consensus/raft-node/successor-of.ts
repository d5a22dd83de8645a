import { NOBODY, type NodeId, type RaftStatus } from '../../raft/index.ts'

/** To whom a leader hands over: the voter who is furthest among those that it hears, or `NOBODY`. */
export function successorOf({ id, peers }: RaftStatus): NodeId {
  const able = peers.filter((peer) => peer.id !== id && peer.voter && peer.recentlyActive)
  return able.sort((left, right) => right.match - left.match)[0]?.id ?? NOBODY
}
