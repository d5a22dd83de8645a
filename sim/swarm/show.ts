import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { connectRemoteBus } from '../../src/bus/drivers/remote/index.ts'
import type { Bus } from '../../src/bus/index.ts'
import { systemClock, systemRandom } from '../../src/core/system/index.ts'
import { type NodeProcess, startNodeProcess } from '../node-process.ts'
import { Child } from './child.ts'
import { CommandTap } from './command-tap.ts'
import { MoveTo, TELEMETRY } from './contract.ts'
import { AGENT_TYPES, FLEET, KILLED_AGENT } from './fleet.ts'
import type { History } from './history.ts'
import { Observer } from './observer.ts'
import { readHistory } from './read-history.ts'

const FINISH_WITHIN_MS = 30_000
/** How long the killed agent stays away: long enough that what cannot wait for it expires. */
const AWAY_MS = 2_500
const SLOW_PAUSE_MS = 40
const CONSUMERS: Readonly<Record<string, number>> = { map: 0, archive: SLOW_PAUSE_MS }

export interface ProcessRow {
  readonly pid: number
  readonly type: string
}

/** A node, a process per type of agent, consumers and a controller: started in order, and finished in order. */
export class Show {
  readonly #folder: string
  readonly #node: NodeProcess
  readonly #bus: Bus
  readonly #children = new Map<string, Child>()
  readonly #processes: ProcessRow[] = []
  readonly observer: Observer
  #commands: CommandTap | undefined

  private constructor(folder: string, node: NodeProcess, bus: Bus) {
    this.#folder = folder
    this.#node = node
    this.#bus = bus
    this.#processes.push({ pid: node.pid, type: 'node' })
    const topics = Object.values(TELEMETRY).map((channel) => channel.topic)
    this.observer = new Observer(bus, { url: node.url, topics, groups: Object.keys(CONSUMERS) })
  }

  static async start(folder: string): Promise<Show> {
    const ledgers = join(folder, 'ledgers')
    mkdirSync(ledgers, { recursive: true })
    const node = await startNodeProcess({ dataDirectory: join(folder, 'data'), detached: true })
    const bus = await connectRemoteBus({ url: node.url, clock: systemClock, random: systemRandom })
    const show = new Show(ledgers, node, bus)
    try {
      await show.#startAll()
      return show
    } catch (error) {
      await show.abandon()
      throw error
    }
  }

  /** Every process that ran, the killed one and its successor included. */
  get processes(): readonly ProcessRow[] {
    return this.#processes
  }

  /** Kills the agent that has a process to itself, lets commands wait for it, and starts it again. */
  async killAndBringBack(signal: AbortSignal): Promise<void> {
    const type = FLEET.find((agent) => agent.id === KILLED_AGENT)!.type
    await this.#children.get(type)!.kill()
    this.observer.tell(`${KILLED_AGENT} was killed (SIGKILL)`)
    this.#children.get('controller')!.tell('agent-down')
    await systemClock.sleep(AWAY_MS, { signal }).catch(() => {})
    await this.#startAgents(type)
  }

  /** Finishes the work in hand, reads what is left behind, and stops everything. */
  async finish(): Promise<History> {
    this.#children.get('controller')!.tell('stop-sending')
    await this.#finish('controller')
    await Promise.all(AGENT_TYPES.map((type) => this.#finish(type)))
    await Promise.all(Object.keys(CONSUMERS).map((group) => this.#finish(group)))
    await this.observer.stop()
    const history = await readHistory(this.#folder, this.#bus, await this.#commands!.finish())
    await this.#bus.close()
    const code = await this.#node.stop()
    if (code !== 0) throw new Error(`The node did not drain: it ended with ${code}`)
    return history
  }

  /** Ends everything at once. */
  async abandon(): Promise<void> {
    await Promise.all([...this.#children.values()].map((child) => child.kill()))
    await this.#bus.close()
    await this.#node.kill()
  }

  async #startAll(): Promise<void> {
    for (const [group, pauseMs] of Object.entries(CONSUMERS)) {
      await this.#startChild(group, './consumer-process.ts', { group, pauseMs: String(pauseMs) })
    }
    await Promise.all(AGENT_TYPES.map((type) => this.#startAgents(type)))
    this.#commands = await CommandTap.open(this.#bus, MoveTo.topic)
    await this.#startChild('controller', './controller-process.ts', {})
    this.observer.start()
  }

  #startAgents(type: string): Promise<void> {
    return this.#startChild(type, './agent-process.ts', { type })
  }

  async #startChild(name: string, module: string, more: Readonly<Record<string, string>>): Promise<void> {
    const type = module.includes('consumer') ? 'consumer' : name
    const child = new Child(type, module, { url: this.#node.url, folder: this.#folder, ...more })
    this.#children.set(name, child)
    this.#processes.push({ pid: child.pid, type })
    await child.ready()
  }

  async #finish(name: string): Promise<void> {
    await this.#children.get(name)!.finish(FINISH_WITHIN_MS)
    this.#children.delete(name)
  }
}
