import { type InboxStore, type LocalInbox, openLocalInbox } from '../channel/index.ts'
import { SkeinError } from '../core/index.ts'
import type { Agent } from '../swarm/index.ts'
import type { Machine } from './machine.ts'

/** The directory of an agent: held from before it joins, and of one swarm. */
export class AgentState {
  readonly #directory: string
  #inbox: LocalInbox | undefined
  #agent: Agent | undefined

  private constructor(directory: string) {
    this.#directory = directory
  }

  /** Rejects with `locked` when another process has it, with `corrupt` for what cannot be read. */
  static async open({ disk, clock }: Machine, directory: string): Promise<AgentState> {
    const state = new AgentState(directory)
    // Nothing is claimed before the agent is there, and node time with it.
    const nodeTime = {
      latestMs: () => state.#agent?.nodeTime.latestMs(),
      earliestMs: () => state.#agent?.nodeTime.earliestMs(),
    }
    state.#inbox = await openLocalInbox({ disk, clock, nodeTime, directory })
    return state
  }

  /**
   * The inbox of this agent. Throws `wrong-cluster` when it has been kept under an epoch that this swarm has not given yet:
   * epochs only rise, so another swarm gave it, and every command would be taken for one of the past.
   */
  of(agent: Agent): InboxStore {
    const { id: agentId, epoch } = agent.identity
    const kept = this.#inbox!.sessionOf(agentId)
    if (kept !== undefined && kept >= epoch) throw foreign({ directory: this.#directory, agentId, epoch, kept })
    this.#agent = agent
    return this.#inbox!
  }

  close(): Promise<void> {
    return this.#inbox!.close()
  }
}

function foreign(of: {
  readonly directory: string
  readonly agentId: string
  readonly epoch: number
  readonly kept: number
}): SkeinError {
  const { directory, agentId, epoch, kept } = of
  return new SkeinError(
    'wrong-cluster',
    `Cannot join as "${agentId}": its state in ${directory} is of epoch ${kept}, and this swarm gave it epoch ${epoch}, so the state ` +
      'belongs to another swarm, or the node has lost its data; move the directory away, or connect to the swarm it belongs to',
    { details: { agentId, epoch, kept } },
  )
}
