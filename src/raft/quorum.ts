import type { Configuration } from './configuration.ts'
import type { NodeId } from './node-id.ts'

/** `pending`: what has not answered yet may still decide either way. */
export type VoteResult = 'won' | 'lost' | 'pending'

/** The two halves of a configuration that decide; the second is empty unless it is joint. */
export type Quorums = Pick<Configuration, 'voters' | 'votersOutgoing'>

type Acknowledged = (id: NodeId) => number | undefined

/**
 * The highest index that a majority of `voters` has acknowledged (0 or undefined for a voter that has acknowledged nothing).
 * Without voters it is `Infinity`: an empty half of a joint configuration leaves the decision to the other half.
 */
export function majorityCommitted(voters: readonly NodeId[], acknowledged: Acknowledged): number {
  const count = voters.length
  if (count === 0) return Number.POSITIVE_INFINITY
  if (count > scratch.length) scratch = new Float64Array(count * 2)
  // Insertion, greatest first: groups are small, and this runs for every acknowledgment without making garbage.
  for (let filled = 0; filled < count; filled += 1) {
    const index = acknowledged(voters[filled]!) ?? 0
    let at = filled
    while (at > 0 && scratch[at - 1]! < index) {
      scratch[at] = scratch[at - 1]!
      at -= 1
    }
    scratch[at] = index
  }
  return scratch[count >> 1]!
}

/** The highest index acknowledged by a majority of each half: in a joint configuration both must have it. */
export function committedIndex(quorums: Quorums, acknowledged: Acknowledged): number {
  const incoming = majorityCommitted(quorums.voters, acknowledged)
  if (quorums.votersOutgoing.length === 0) return incoming
  return Math.min(incoming, majorityCommitted(quorums.votersOutgoing, acknowledged))
}

/** The result of a vote in which some have said yes, some no, and some nothing yet. Without voters it is won. */
export function majorityVote(voters: readonly NodeId[], vote: (id: NodeId) => boolean | undefined): VoteResult {
  const needed = (voters.length >> 1) + 1
  if (voters.length === 0) return 'won'
  let granted = 0
  let open = 0
  for (const id of voters) {
    const answer = vote(id)
    if (answer === true) granted += 1
    else if (answer === undefined) open += 1
  }
  if (granted >= needed) return 'won'
  return granted + open >= needed ? 'pending' : 'lost'
}

/** A vote in a configuration: won in both halves, or lost in either. */
export function voteResult(quorums: Quorums, vote: (id: NodeId) => boolean | undefined): VoteResult {
  const incoming = majorityVote(quorums.voters, vote)
  const outgoing = majorityVote(quorums.votersOutgoing, vote)
  if (incoming === outgoing) return incoming
  return incoming === 'lost' || outgoing === 'lost' ? 'lost' : 'pending'
}

let scratch = new Float64Array(16)
