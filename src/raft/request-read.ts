import { NOBODY } from './node-id.ts'
import type { RaftCore } from './raft-core.ts'

/** Queues a read for the next round of the leader, or the next request to it; given up at once where neither is possible. */
export function requestRead(core: RaftCore, context: unknown): void {
  const isQueued =
    core.role === 'leader' ? core.readRounds.add(context) : core.leader !== NOBODY && core.forwardedReads.add(context)
  if (!isQueued) core.abortedReads.push(context)
}
