import type { Bus, RequestedDurability, TopicSpec } from '../bus/index.ts'
import type { AgentRecord, NodeTime, Roster } from '../channel/index.ts'
import { type LivenessPolicy, NodeTimeKeeper, RosterView, withLastHeard } from '../swarm/index.ts'
import { hostNodeServices, type NodeServices } from './host-node-services.ts'
import type { Machine } from './machine.ts'

/** The roster as a fabric shows it. */
export interface WholeRoster extends Roster {
  /** Everyone, those that left included, sorted by id. */
  all(): readonly AgentRecord[]
}

/** A fabric's view of the swarm: of the node it hosts itself, or of the one it is connected to. */
export interface SwarmSide {
  roster(): Promise<WholeRoster>
  nodeTime(): Promise<NodeTime>
  /** The records with the time each agent was last heard, which the roster itself does not keep. */
  heard(records: readonly AgentRecord[]): Promise<readonly AgentRecord[]>
  topicOpened(topic: TopicSpec): Promise<void>
  drain(): Promise<void>
  close(): Promise<void>
}

export interface HostedOptions {
  readonly bus: Bus
  readonly machine: Machine
  readonly durability: RequestedDurability
  readonly liveness: Partial<LivenessPolicy> | undefined
  readonly onError: (error: unknown) => void
}

/** Hosts the node's part of the swarm in this process. */
export async function hostedSwarm(options: HostedOptions): Promise<SwarmSide> {
  const { bus, machine, durability, liveness, onError } = options
  const { clock, random } = machine
  const node = await hostNodeServices({ bus, clock, random, durability, onError, ...(liveness && { liveness }) })
  return new HostedSwarm(node)
}

class HostedSwarm implements SwarmSide {
  readonly #node: NodeServices

  constructor(node: NodeServices) {
    this.#node = node
  }

  async roster(): Promise<WholeRoster> {
    return this.#node.roster
  }

  async nodeTime(): Promise<NodeTime> {
    return this.#node.nodeTime
  }

  async heard(records: readonly AgentRecord[]): Promise<readonly AgentRecord[]> {
    return records
  }

  async topicOpened(topic: TopicSpec): Promise<void> {
    if (topic.intent === 'command') await this.#node.watch(topic.name)
  }

  drain(): Promise<void> {
    return this.#node.drain()
  }

  close(): Promise<void> {
    return this.#node.close()
  }
}

/** Sees the swarm through the node at the other end; what it needs of it is started on first use. */
export class RemoteSwarm implements SwarmSide {
  readonly #bus: Bus
  readonly #machine: Machine
  readonly #onError: (error: unknown) => void
  #view: RosterView | undefined
  #time: Promise<NodeTimeKeeper> | undefined

  constructor(bus: Bus, machine: Machine, onError: (error: unknown) => void) {
    this.#bus = bus
    this.#machine = machine
    this.#onError = onError
  }

  async roster(): Promise<WholeRoster> {
    this.#view ??= new RosterView({ bus: this.#bus, clock: this.#machine.clock, onError: this.#onError })
    return this.#view
  }

  nodeTime(): Promise<NodeTime> {
    if (this.#time) return this.#time
    const starting = this.#startTime()
    this.#time = starting
    // One that could not reach the node is started anew by the next who asks.
    starting.catch(() => {
      this.#time = undefined
    })
    return starting
  }

  heard(records: readonly AgentRecord[]): Promise<readonly AgentRecord[]> {
    return withLastHeard(this.#bus.requests, records)
  }

  async topicOpened(): Promise<void> {}

  drain(): Promise<void> {
    return this.close()
  }

  async close(): Promise<void> {
    const time = await this.#time?.catch(() => undefined)
    time?.close()
    await this.#view?.close()
  }

  async #startTime(): Promise<NodeTimeKeeper> {
    const keeper = new NodeTimeKeeper(this.#bus.requests, this.#machine.clock)
    await keeper.start()
    return keeper
  }
}
