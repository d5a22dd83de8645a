import { type Bus, isOwnTopic, type RequestedDurability } from '../bus/index.ts'
import { type CommandServices, type NodeTime, openCommandServices } from '../channel/index.ts'
import type { Clock, Random, Timer } from '../core/index.ts'
import {
  type FencedAgent,
  type GroupLag,
  LagMonitor,
  type LagPolicy,
  type LivenessPolicy,
  localNodeTime,
  type Owner,
  openOwner,
} from '../swarm/index.ts'

export interface NodeServicesOptions {
  readonly bus: Bus
  readonly clock: Clock
  readonly random: Random
  /** One subject level. Default: a random name. */
  readonly nodeId?: string
  /** Of Skein's own topics. Default `safe`; `none` for a bus in memory. */
  readonly durability?: RequestedDurability
  readonly liveness?: Partial<LivenessPolicy>
  readonly lag?: Partial<LagPolicy>
  /** Agents in the roster at once. Default 100,000. */
  readonly agentsMax?: number
  /** A newer epoch took an agent's place: cut the old one's connection. */
  readonly onFenced?: (fenced: FencedAgent) => void
  /** A group that goes on lagging: restart its consumer, if you can. */
  readonly restart?: (stuck: GroupLag) => void
  /** What cannot be told to any caller. */
  readonly onError?: (error: unknown) => void
}

const COMMAND_TOPICS_EVERY_MS = 1_000

/**
 * The node's part of the swarm, on whatever bus the node has: the owner of the agents, the watch over lag, inboxes for
 * agents without a disk, outcomes, and the withdrawal of commands that reached nobody.
 */
export async function hostNodeServices(options: NodeServicesOptions): Promise<NodeServices> {
  const { bus, clock, random, durability = 'safe', onError } = options
  const shared = { bus, clock, durability, ...(onError && { onError }) }
  const { liveness, agentsMax, onFenced } = options
  const owner = await openOwner({
    ...shared,
    nodeId: options.nodeId ?? `node-${Buffer.from(random.bytes(6)).toString('hex')}`,
    ...(liveness && { liveness }),
    ...(agentsMax !== undefined && { agentsMax }),
    ...(onFenced && { onFenced }),
  })
  try {
    const { leaseMs } = owner
    const commands = await openCommandServices({ ...shared, random, roster: owner, leaseMs })
    return new NodeServices(options, owner, commands)
  } catch (error) {
    await owner.close()
    throw error
  }
}

export class NodeServices {
  readonly roster: Owner
  /** Node time, exactly: this is the node. */
  readonly nodeTime: NodeTime
  readonly #options: NodeServicesOptions
  readonly #commands: CommandServices
  readonly #lag: LagMonitor
  #looked: ReadonlySet<string> = new Set()
  #timer: Timer | undefined
  #closing: Promise<void> | undefined

  /** Use `hostNodeServices`. */
  constructor(options: NodeServicesOptions, owner: Owner, commands: CommandServices) {
    const { bus, clock, lag, restart, onError } = options
    this.#options = options
    this.roster = owner
    this.nodeTime = localNodeTime(clock)
    this.#commands = commands
    this.#lag = new LagMonitor({
      bus,
      clock,
      ...(lag && { policy: lag }),
      ...(restart && { restart }),
      ...(onError && { onError }),
    })
    this.#watchCommandTopics()
  }

  /** A gateway's connection is gone: agents last heard on it are suspect at once. */
  connectionClosed(connection: string): void {
    this.roster.connectionClosed(connection)
  }

  /** Watches a command topic that was just opened, rather than a second later. */
  watch(topic: string): Promise<void> {
    return this.#commands.watch(topic)
  }

  /** Finishes what is in hand, then closes. Idempotent. */
  drain(): Promise<void> {
    this.#closing ??= this.#stop(async () => {
      await this.#commands.drain()
      await this.roster.drain()
    })
    return this.#closing
  }

  close(): Promise<void> {
    this.#closing ??= this.#stop(async () => {
      await this.#commands.close()
      await this.roster.close()
    })
    return this.#closing
  }

  async #stop(finish: () => Promise<void>): Promise<void> {
    this.#timer?.cancel()
    await this.#lag.close()
    await finish()
  }

  /** Topics come and go by other hands than ours, so they are looked for. */
  #watchCommandTopics(): void {
    this.#findCommandTopics()
      .catch((error) => {
        if (!this.#closing) this.#options.onError?.(error)
      })
      .finally(() => {
        if (this.#closing) return
        this.#timer = this.#options.clock.setTimer(() => this.#watchCommandTopics(), COMMAND_TOPICS_EVERY_MS)
      })
  }

  async #findCommandTopics(): Promise<void> {
    const { admin } = this.#options.bus
    const topics = (await admin.listTopics()).filter((topic) => !isOwnTopic(topic))
    for (const topic of topics) {
      if (this.#looked.has(topic)) continue
      const { spec } = await admin.describeTopic(topic)
      if (spec.intent === 'command') await this.#commands.watch(topic)
    }
    this.#looked = new Set(topics)
  }
}
