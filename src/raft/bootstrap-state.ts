import { SkeinError } from '../core/index.ts'
import { encodeConfigChange } from './config-change-codec.ts'
import type { Entry } from './entry.ts'
import type { HardState } from './hard-state.ts'
import { NOBODY, type NodeId } from './node-id.ts'

/**
 * What every first member of a new group stores, and starts from, the same on all of them: a log with one committed entry
 * that makes them voters. They vote as soon as they have applied it. It is an entry, and not a configuration given to each,
 * so that who joins later learns of them from the log. Throws `bad-argument` for no members, or ids that cannot be.
 */
export function bootstrapState(voters: readonly NodeId[]): {
  readonly hardState: HardState
  readonly entries: readonly Entry[]
} {
  const odd = voters.find((id) => !Number.isSafeInteger(id) || id < 1)
  if (voters.length === 0 || odd !== undefined) {
    const problem = odd === undefined ? 'nobody is in it' : `${odd} is no node id: it must be a positive safe integer`
    throw new SkeinError('bad-argument', `Cannot begin a group: ${problem}`)
  }
  const changes = voters.map((id) => ({ action: 'add-voter', id }) as const)
  const data = encodeConfigChange({ mode: 'auto', changes })
  return {
    hardState: { term: 1, vote: NOBODY, commit: 1 },
    entries: [{ index: 1, term: 1, kind: 'config', data }],
  }
}
