import { committedIndex } from './quorum.ts'
import type { RaftCore } from './raft-core.ts'

/**
 * Begins a round for the reads that gathered. Not before the leader has committed an entry of its own term: until then
 * it does not know what was committed before it (paper, section 8). True when heartbeats must ask for it.
 */
export function beginReadRound(core: RaftCore): boolean {
  const { log, readRounds } = core
  if (!readRounds.hasGathered || log.term(log.commit) !== core.term) return false
  readRounds.begin(log.commit)
  return true
}

/** Answers the rounds for which a quorum, of both halves of a joint configuration, still follows this leader. */
export function readRoundConfirmed(core: RaftCore): void {
  const { readRounds } = core
  const { progress } = core.membership
  if (!readRounds.hasRounds) return
  const round = committedIndex(core.quorums, (id) =>
    id === core.id ? readRounds.latest : (progress.get(id)?.readRound ?? 0),
  )
  for (const { index, contexts, remote } of readRounds.confirmed(round)) {
    for (const context of contexts) core.readStates.push({ index, context })
    for (const { from: to, request } of remote) {
      core.outbox.atOnce({ type: 'read-reply', from: core.id, to, term: core.term, request, index })
    }
  }
}
