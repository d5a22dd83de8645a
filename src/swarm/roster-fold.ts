import type { AgentRecord, AgentSelector } from '../channel/index.ts'
import type { AgentState, RosterEntry } from './roster-record.ts'

/** The roster as a fold over the records of its topic, in order. Pure: the same records give the same roster. */
export class RosterFold {
  readonly #agents = new Map<string, AgentState>()
  #sorted: readonly AgentState[] | undefined
  #ownerEpoch = -1

  /** The newest decider seen; older ones do not count after it. */
  get ownerEpoch(): number {
    return this.#ownerEpoch
  }

  /** Whether the entry counted: not one of a fenced decider, not one about an epoch that is over. */
  apply(entry: RosterEntry): boolean {
    if (entry.kind === 'owner') {
      this.#ownerEpoch = Math.max(this.#ownerEpoch, entry.sequence)
      return true
    }
    if (entry.ownerEpoch < this.#ownerEpoch) return false
    if (entry.kind === 'forgotten') {
      this.#sorted = undefined
      return this.#agents.delete(entry.agentId)
    }
    const known = this.#agents.get(entry.state.id)
    if (known && known.epoch > entry.state.epoch) return false
    this.#agents.set(entry.state.id, entry.state)
    this.#sorted = undefined
    return true
  }

  get(agentId: string): AgentState | undefined {
    return this.#agents.get(agentId)
  }

  /** All agents, those that left included, sorted by id. */
  all(): readonly AgentState[] {
    this.#sorted ??= [...this.#agents.values()].sort((one, other) => (one.id < other.id ? -1 : 1))
    return this.#sorted
  }

  select(selector: AgentSelector): readonly AgentState[] {
    return this.all().filter((agent) => agent.liveness !== 'left' && matchesSelector(agent, selector))
  }

  clear(): void {
    this.#agents.clear()
    this.#sorted = undefined
    this.#ownerEpoch = -1
  }
}

/** Whether all that the selector names is true of the agent. */
export function matchesSelector(agent: AgentRecord, selector: AgentSelector): boolean {
  if (selector.type !== undefined && agent.type !== selector.type) return false
  if (selector.region !== undefined && agent.region !== selector.region) return false
  if (selector.capability !== undefined && !agent.capabilities.includes(selector.capability)) return false
  return Object.entries(selector.labels ?? {}).every(([name, value]) => agent.labels[name] === value)
}
