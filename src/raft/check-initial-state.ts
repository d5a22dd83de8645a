import { SkeinError } from '../core/index.ts'
import { type Configuration, membersOf } from './configuration.ts'
import type { EntryKind } from './entry.ts'
import type { InitialState } from './raft-options.ts'

const KINDS: readonly EntryKind[] = ['command', 'config', 'empty']

/** Throws `corrupt` for numbers and members that no node can have stored. What the log must be like it sees to itself. */
export function checkInitialState(state: InitialState): void {
  const { hardState, snapshot, entries = [], configuration, applied = 0 } = state
  checkNumber('applied index', applied)
  if (hardState !== undefined) {
    for (const [name, value] of Object.entries(hardState)) checkNumber(name, value)
  }
  for (const { index, term, kind, data } of entries) {
    checkNumber('term of an entry', term)
    if (!KINDS.includes(kind) || !(data instanceof Uint8Array)) throw corruptState(`entry ${index} makes no sense`)
  }
  const lastTerm = Math.max(snapshot?.term ?? 0, entries.at(-1)?.term ?? 0)
  // A node enters a term, durably, before it stores anything of it.
  if (hardState !== undefined && hardState.term < lastTerm) {
    throw corruptState(`it is in term ${hardState.term}, and holds what was made in term ${lastTerm}`)
  }
  for (const members of [configuration, snapshot?.configuration]) if (members !== undefined) checkMembers(members)
}

export function corruptState(why: string): SkeinError {
  const what = 'Cannot start from the stored state'
  return new SkeinError('corrupt', `${what}: ${why}; restore it, or join again under a new id`)
}

function checkNumber(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) throw corruptState(`the ${name} is ${value}`)
}

function checkMembers(members: Configuration): void {
  const odd = membersOf(members).find((id) => !Number.isSafeInteger(id) || id < 1)
  if (odd !== undefined) throw corruptState(`${odd} is a member, and no node id`)
  const { voters, votersOutgoing, learners } = members
  const both = learners.find((id) => voters.includes(id) || votersOutgoing.includes(id))
  if (both !== undefined) throw corruptState(`node ${both} is a voter and a learner at once`)
}
