import { checkOptions, type KeysOf, nearest, SkeinError } from '../../core/index.ts'
import type { AgentRecord, AgentSelector, Roster } from '../ports.ts'
import type { Addressee } from './command-record.ts'
import type { Outcome } from './outcome.ts'

/** One agent, several, or whoever the roster has under the selector when it is sent. */
export type CommandTarget = string | readonly string[] | AgentSelector

/**
 * What a send gives for its target: one agent's outcome, else one per agent. One signature with this instead of two
 * overloads: of overloads the compiler explains the last, not the one that was meant.
 */
export type OutcomesOf<Target, Reply> = Target extends string ? Outcome<Reply> : ReadonlyArray<Outcome<Reply>>

/** Refuses fields that a selector does not have: a type parameter alone takes any more. */
export type KnownTarget<Target> = Target extends string | readonly unknown[]
  ? unknown
  : { readonly [Field in Exclude<keyof Target, keyof AgentSelector>]: never }

/** The agents of a target as the roster has them now, sorted by id. Throws `unknown-agent` naming those it has not. */
export async function resolveTarget(roster: Roster, target: CommandTarget): Promise<readonly AgentRecord[]> {
  if (typeof target === 'object' && !isList(target)) checkSelector(target)
  await roster.ready()
  if (typeof target === 'object' && !isList(target)) return roster.select(target)
  const ids = isList(target) ? [...new Set(target)].sort() : [target]
  const missing = ids.filter((id) => roster.get(id) === undefined)
  if (missing.length > 0) throw unknownAgents(missing, roster)
  return ids.map((id) => roster.get(id)!)
}

const SELECTOR_KEYS: KeysOf<AgentSelector> = { type: true, region: true, labels: true, capability: true }

/** Throws `bad-argument` for a field that selectors do not have: left out of account, it would select too many. */
export function checkSelector(selector: AgentSelector): void {
  checkOptions('select agents', selector, SELECTOR_KEYS)
}

/** A command to an agent that is away is for whichever epoch comes next; to one that is there, for this epoch alone. */
export function addresseeOf(agent: AgentRecord): Addressee {
  return { agentId: agent.id, epoch: agent.epoch, held: agent.liveness !== 'alive' }
}

function isList(target: CommandTarget): target is readonly string[] {
  return Array.isArray(target)
}

function unknownAgents(missing: readonly string[], roster: Roster): SkeinError {
  const shown = missing.slice(0, 5).join('", "')
  const near = nearest(
    missing[0]!,
    roster.select({}).map(({ id }) => id),
  )
  const hint = near === undefined ? '' : `; did you mean "${near}"?`
  return new SkeinError('unknown-agent', `Cannot send a command to "${shown}": no such agent has ever joined${hint}`, {
    details: { agents: missing, ...(near !== undefined && { nearest: near }) },
  })
}
