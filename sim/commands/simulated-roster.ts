import type { AgentRecord, AgentSelector, Roster } from '../../src/channel/index.ts'

/** The roster as a node would have it, set by the world. */
export class SimulatedRoster implements Roster {
  readonly #agents = new Map<string, AgentRecord>()
  #epoch = 0

  async ready(): Promise<void> {}

  get(agentId: string): AgentRecord | undefined {
    return this.#agents.get(agentId)
  }

  select(selector: AgentSelector): readonly AgentRecord[] {
    const matches = (agent: AgentRecord) => selector.type === undefined || agent.type === selector.type
    return [...this.#agents.values()]
      .filter((agent) => agent.liveness !== 'left' && matches(agent))
      .sort((one, other) => (one.id < other.id ? -1 : 1))
  }

  join(id: string, nowMs: number): AgentRecord {
    this.#epoch += 1
    const known = { id, type: 'quadrotor', region: 'north', labels: {}, capabilities: [] }
    const times = { joinedAtMs: nowMs, seenAtMs: nowMs }
    const record: AgentRecord = { ...known, ...times, epoch: this.#epoch, liveness: 'alive' }
    this.#agents.set(id, record)
    return record
  }

  /** A pulse came: whoever was given up is back, unless it had left. */
  heard(id: string, nowMs: number): void {
    const known = this.#agents.get(id)
    if (known !== undefined && known.liveness !== 'left') this.set(id, { liveness: 'alive', seenAtMs: nowMs })
  }

  set(id: string, change: Partial<AgentRecord>): void {
    this.#agents.set(id, { ...this.#agents.get(id)!, ...change })
  }
}
