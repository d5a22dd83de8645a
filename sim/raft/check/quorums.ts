import type { ConfigChange, Configuration } from '../../../src/raft/index.ts'

/** Written apart from the core's own arithmetic, in the plainest way, so that the two can disagree. */
export function isQuorum(configuration: Configuration, has: (id: number) => boolean): boolean {
  const { voters, votersOutgoing } = configuration
  return isMajority(voters, has) && (votersOutgoing.length === 0 || isMajority(votersOutgoing, has))
}

function isMajority(voters: readonly number[], has: (id: number) => boolean): boolean {
  let count = 0
  for (const id of voters) if (has(id)) count += 1
  return count * 2 > voters.length
}

/** The configuration that a change must lead to; undefined when the change must have no effect. */
export function afterChange(before: Configuration, change: ConfigChange): Configuration | undefined {
  const wasJoint = before.votersOutgoing.length > 0
  if (change.mode === 'leave') return wasJoint ? left(before) : undefined
  const draft = change.changes.reduce(withChange, {
    voters: new Set(before.voters),
    learners: new Set(before.learners),
    demoted: new Set<number>(),
    old: new Set(before.voters),
  })
  if (wasJoint || draft.voters.size === 0) return undefined
  const differing = [...draft.voters].filter((id) => !draft.old.has(id)).length
  const gone = before.voters.filter((id) => !draft.voters.has(id)).length
  const isDirect = before.voters.length === 0 || (change.mode === 'auto' && differing + gone <= 1)
  if (isDirect) return members([...draft.voters], [...draft.learners, ...draft.demoted])
  return {
    ...members([...draft.voters], [...draft.learners]),
    votersOutgoing: [...before.voters],
    learnersNext: sorted([...draft.demoted]),
    autoLeave: change.mode !== 'joint-until-left',
  }
}

interface Draft {
  readonly voters: Set<number>
  readonly learners: Set<number>
  /** Voters that become learners. */
  readonly demoted: Set<number>
  readonly old: ReadonlySet<number>
}

function withChange(draft: Draft, { action, id }: ConfigChange['changes'][number]): Draft {
  if (action === 'add-learner' && draft.learners.has(id)) return draft
  draft.learners.delete(id)
  draft.demoted.delete(id)
  draft.voters.delete(id)
  if (action === 'add-voter') draft.voters.add(id)
  else if (action === 'add-learner') (draft.old.has(id) ? draft.demoted : draft.learners).add(id)
  return draft
}

function left(joint: Configuration): Configuration {
  return members([...joint.voters], [...joint.learners, ...joint.learnersNext])
}

function members(voters: readonly number[], learners: readonly number[]): Configuration {
  return {
    voters: sorted(voters),
    votersOutgoing: [],
    learners: sorted(learners),
    learnersNext: [],
    autoLeave: false,
  }
}

function sorted(ids: readonly number[]): number[] {
  return [...new Set(ids)].sort((a, b) => a - b)
}

export function describeConfiguration(configuration: Configuration): string {
  const { voters, votersOutgoing, learners, learnersNext } = configuration
  const outgoing = votersOutgoing.length === 0 ? '' : ` and (${votersOutgoing.join(' ')})`
  const next = learnersNext.length === 0 ? '' : ` then (${learnersNext.join(' ')})`
  return `voters (${voters.join(' ')})${outgoing}, learners (${learners.join(' ')})${next}`
}
