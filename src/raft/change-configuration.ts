import type { ConfigChange, MemberChange } from './config-change.ts'
import { type Configuration, configuration, isJoint } from './configuration.ts'
import { ConfigChangeError } from './errors.ts'
import type { NodeId } from './node-id.ts'

/** A configuration, and what is known of each of its members: one value per member, neither more nor fewer. */
export interface Membership<P> {
  readonly configuration: Configuration
  readonly progress: ReadonlyMap<NodeId, P>
}

export interface ChangeOptions<P> {
  /** What is known of a new member. */
  readonly newProgress: (id: NodeId) => P
}

/**
 * The membership after a change; what it is given stays as it was. All functions here are pure, so every node that
 * applies the same change to the same configuration comes to the same result, or to the same `ConfigChangeError`.
 *
 * A group without voters is new: its first change may add as many as it likes, since no older quorum can disagree.
 */
export function changeMembership<P>(
  membership: Membership<P>,
  change: ConfigChange,
  options: ChangeOptions<P>,
): Membership<P> {
  if (change.mode === 'leave') {
    if (change.changes.length > 0) throw new ConfigChangeError('bad-change', 'leaving has no changes of its own')
    return leaveJoint(membership)
  }
  if (change.mode !== 'auto' && change.mode !== 'joint' && change.mode !== 'joint-until-left') {
    throw new ConfigChangeError('bad-change', `"${change.mode satisfies never}" is no mode of a change`)
  }
  if (membership.configuration.voters.length === 0) return begin(membership, change.changes, options)
  if (change.mode === 'auto' && !isJoint(membership.configuration)) {
    const direct = edit(membership, change.changes, options)
    if (votersDiffering(membership.configuration, direct.configuration) <= 1) return direct
  }
  return enterJoint(membership, change.changes, { ...options, autoLeave: change.mode !== 'joint-until-left' })
}

/** A change that takes effect at once: at most one voter more, fewer or another rank (dissertation, 4.1). */
export function simpleChange<P>(
  membership: Membership<P>,
  changes: readonly MemberChange[],
  options: ChangeOptions<P>,
): Membership<P> {
  if (isJoint(membership.configuration)) {
    throw new ConfigChangeError('already-joint', 'the joint configuration must be left first')
  }
  const changed = edit(membership, changes, options)
  if (votersDiffering(membership.configuration, changed.configuration) > 1) {
    throw new ConfigChangeError('several-voters', 'more than one voter changes; go through a joint configuration')
  }
  return changed
}

/** Enters a joint configuration: the old voters and the changed ones must agree until it is left (dissertation, 4.3). */
export function enterJoint<P>(
  membership: Membership<P>,
  changes: readonly MemberChange[],
  options: ChangeOptions<P> & { readonly autoLeave: boolean },
): Membership<P> {
  const { voters } = membership.configuration
  if (isJoint(membership.configuration)) {
    throw new ConfigChangeError('already-joint', 'the joint configuration must be left first')
  }
  if (voters.length === 0) {
    throw new ConfigChangeError('no-voters', 'a configuration without voters has no majority to be joined')
  }
  const joint = { ...membership.configuration, votersOutgoing: voters, autoLeave: options.autoLeave }
  return edit({ configuration: joint, progress: membership.progress }, changes, options)
}

/** Leaves a joint configuration: the old voters no longer count, and who was demoted becomes a learner. */
export function leaveJoint<P>(membership: Membership<P>): Membership<P> {
  const { voters, votersOutgoing, learners, learnersNext } = membership.configuration
  if (votersOutgoing.length === 0) throw new ConfigChangeError('not-joint', 'the configuration is not joint')
  const left = configuration({ voters, learners: [...learners, ...learnersNext] })
  const progress = new Map(membership.progress)
  for (const id of votersOutgoing) {
    if (!left.voters.includes(id) && !left.learners.includes(id)) progress.delete(id)
  }
  return { configuration: left, progress }
}

function begin<P>(
  membership: Membership<P>,
  changes: readonly MemberChange[],
  options: ChangeOptions<P>,
): Membership<P> {
  if (isJoint(membership.configuration)) {
    throw new ConfigChangeError('already-joint', 'the joint configuration must be left first')
  }
  return edit(membership, changes, options)
}

/** The members being changed, as sets; becomes a membership again in `edit`. */
interface Draft<P> {
  readonly voters: Set<NodeId>
  readonly outgoing: ReadonlySet<NodeId>
  readonly learners: Set<NodeId>
  readonly learnersNext: Set<NodeId>
  readonly progress: Map<NodeId, P>
  readonly newProgress: (id: NodeId) => P
}

function edit<P>(
  membership: Membership<P>,
  changes: readonly MemberChange[],
  options: ChangeOptions<P>,
): Membership<P> {
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = membership.configuration
  const draft: Draft<P> = {
    voters: new Set(voters),
    outgoing: new Set(votersOutgoing),
    learners: new Set(learners),
    learnersNext: new Set(learnersNext),
    progress: new Map(membership.progress),
    newProgress: options.newProgress,
  }
  for (const change of changes) applyMemberChange(draft, change)
  if (draft.voters.size === 0) throw new ConfigChangeError('no-voter-left', 'it would leave no voter')
  const changed = configuration({
    voters: [...draft.voters],
    votersOutgoing,
    learners: [...draft.learners],
    learnersNext: [...draft.learnersNext],
    autoLeave,
  })
  return { configuration: changed, progress: draft.progress }
}

function applyMemberChange<P>(draft: Draft<P>, { action, id }: MemberChange): void {
  if (!Number.isSafeInteger(id) || id < 1) {
    throw new ConfigChangeError('bad-id', `${id} is no node id: it must be a positive safe integer`)
  }
  if (action === 'add-voter') addVoter(draft, id)
  else if (action === 'add-learner') addLearner(draft, id)
  else if (action === 'remove') remove(draft, id)
  else throw new ConfigChangeError('bad-change', `"${action satisfies never}" is no action on a member`)
}

function addVoter<P>(draft: Draft<P>, id: NodeId): void {
  if (!draft.progress.has(id)) draft.progress.set(id, draft.newProgress(id))
  draft.learners.delete(id)
  draft.learnersNext.delete(id)
  draft.voters.add(id)
}

function addLearner<P>(draft: Draft<P>, id: NodeId): void {
  if (draft.learners.has(id)) return
  if (!draft.progress.has(id)) draft.progress.set(id, draft.newProgress(id))
  draft.voters.delete(id)
  // An old voter still counts in the outgoing half; it must not be voter and learner at once, so it waits.
  if (draft.outgoing.has(id)) draft.learnersNext.add(id)
  else draft.learners.add(id)
}

function remove<P>(draft: Draft<P>, id: NodeId): void {
  draft.voters.delete(id)
  draft.learners.delete(id)
  draft.learnersNext.delete(id)
  if (!draft.outgoing.has(id)) draft.progress.delete(id)
}

/** How many voters one configuration has and the other has not. */
function votersDiffering(before: Configuration, after: Configuration): number {
  const gone = before.voters.filter((id) => !after.voters.includes(id)).length
  const come = after.voters.filter((id) => !before.voters.includes(id)).length
  return gone + come
}
