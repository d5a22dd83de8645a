import type { NodeId } from './node-id.ts'

/** Who belongs to a group. All lists are sorted, without repeats. Never changed: a change makes a new one. */
export interface Configuration {
  /** They vote and count for commits. In a joint configuration: the new ones. */
  readonly voters: readonly NodeId[]
  /** In a joint configuration the old voters, whose majority is needed as well; else empty. */
  readonly votersOutgoing: readonly NodeId[]
  /** They receive the log and do not count. */
  readonly learners: readonly NodeId[]
  /** Old voters that become learners when the joint configuration is left. */
  readonly learnersNext: readonly NodeId[]
  /** The leader leaves this joint configuration by itself, as soon as it has applied it. */
  readonly autoLeave: boolean
}

/** A configuration from its members; without any it is the empty one, of a node that waits to be added. */
export function configuration(members: Partial<Configuration> = {}): Configuration {
  return {
    voters: sortedIds(members.voters ?? []),
    votersOutgoing: sortedIds(members.votersOutgoing ?? []),
    learners: sortedIds(members.learners ?? []),
    learnersNext: sortedIds(members.learnersNext ?? []),
    autoLeave: members.autoLeave ?? false,
  }
}

export function isJoint(configuration: Configuration): boolean {
  return configuration.votersOutgoing.length > 0
}

/** Whether the node votes: in either half of a joint configuration. */
export function isVoter(configuration: Configuration, id: NodeId): boolean {
  return configuration.voters.includes(id) || configuration.votersOutgoing.includes(id)
}

/** Whether the node belongs to the group at all. */
export function isMember(configuration: Configuration, id: NodeId): boolean {
  return isVoter(configuration, id) || configuration.learners.includes(id)
}

/** Every member once, sorted. */
export function membersOf(configuration: Configuration): NodeId[] {
  return sortedIds([...configuration.voters, ...configuration.votersOutgoing, ...configuration.learners])
}

function sortedIds(ids: Iterable<NodeId>): NodeId[] {
  return [...new Set(ids)].sort((left, right) => left - right)
}
