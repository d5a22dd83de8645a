import type { Bus } from '../bus/index.ts'
import { type AnyChannel, type Channels, commandReceiver, requestedInbox } from '../channel/index.ts'
import { checkOptions, type KeysOf, SkeinError } from '../core/index.ts'
import { AGENT_CHANGE_KEYS, type Agent, type AgentDescription, joinSwarm } from '../swarm/index.ts'
import { AgentCommands } from './agent-commands.ts'
import { AgentState } from './agent-state.ts'
import { FabricAgent } from './fabric-agent.ts'
import type { Machine } from './machine.ts'
import type { Reconnections } from './reconnections.ts'

export interface JoinOptions extends AgentDescription {
  /** Where this agent remembers the commands it has seen. Without one its node does: each claim is then a call. */
  readonly stateDir?: string
  /** How long to try while the node cannot be reached, ms. Default 10,000. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

const KEYS: KeysOf<JoinOptions> = { ...AGENT_CHANGE_KEYS, id: true, stateDir: true, timeoutMs: true, signal: true }

export interface JoinParts {
  readonly bus: Bus
  readonly machine: Machine
  readonly channels: Channels
  /** Opens the topics of these channels, unless they are open. */
  readonly open: (channels: readonly AnyChannel[]) => Promise<void>
  readonly reconnections: Reconnections
  readonly onError: (error: unknown) => void
}

/** Joins the swarm and binds what an agent needs: its pulses, its inbox, its handlers, its name on what it sends. */
export async function joinAgent(parts: JoinParts, options: JoinOptions): Promise<FabricAgent> {
  checkOptions('join', options ?? null, KEYS)
  const { bus, machine, channels, open, onError } = parts
  const { clock, random } = machine
  const { stateDir, timeoutMs, signal, ...description } = options
  // Its state is taken first: who cannot have it must not take the place of the one who does.
  const state = stateDir === undefined ? undefined : await AgentState.open(machine, stateDir)
  let joinedAs: Agent | undefined
  try {
    const agent = await joinSwarm({
      ...{ requests: bus.requests, clock, random, description },
      ...(timeoutMs !== undefined && { timeoutMs }),
      ...(signal && { signal }),
    })
    joinedAs = agent
    const inbox = state?.of(agent) ?? requestedInbox({ bus, clock, random })
    const { identity, nodeTime } = agent
    const receiver = commandReceiver({
      ...{ bus, clock, random, identity, nodeTime, lease: agent, inbox },
      isHandedOut: (topic) => channels.isHandedOut(topic),
      onError: (error) => (isFenced(error) ? agent.doubt() : onError(error)),
    })
    const commands = new AgentCommands({ receiver, inbox, open: (command) => open([command]), onError })
    const joined = new FabricAgent({ agent, channels, commands })
    // A connection may have been cut because a newer epoch is there: ask before anything is claimed again.
    const stopListening = parts.reconnections.listen(() => agent.doubt())
    void joined.ended.then(stopListening)
    return joined
  } catch (error) {
    // What was refused leaves nobody behind to be missed.
    await joinedAs?.leave().catch(() => {})
    await state?.close()
    throw error
  }
}

function isFenced(error: unknown): boolean {
  return error instanceof SkeinError && error.code === 'fenced'
}
