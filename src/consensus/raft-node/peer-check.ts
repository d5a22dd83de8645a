import { SkeinError } from '../../core/index.ts'
import type { NodeId } from '../../raft/index.ts'
import type { Identity } from './greeting.ts'
import type { KnownPeers } from './known-peers.ts'

/** Resolves when this peer may be spoken with. Rejects with `wrong-cluster`, `id-reused`, `bad-input`. */
export async function checkPeer(peer: Identity, own: Identity, peers: KnownPeers): Promise<void> {
  if (peer.cluster !== own.cluster) {
    const message = `Cannot speak with a member of the cluster "${peer.cluster}": this is "${own.cluster}"; correct the cluster id or the address`
    throw new SkeinError('wrong-cluster', message, { details: { found: peer.cluster, expected: own.cluster } })
  }
  if (peer.node === own.node) throw sameId(peer.node)
  if (peer.storage !== own.storage) {
    const message = `Cannot speak with node ${peer.node}: its storage is ${peer.storage}, here it is ${own.storage}, and receipts could not say what they survive`
    throw new SkeinError('bad-input', message)
  }
  await peers.check(peer)
}

function sameId(node: NodeId): SkeinError {
  const message = `Cannot accept another node ${node}: that is this one's id; give each member an id of its own`
  return new SkeinError('id-reused', message, { details: { node } })
}
