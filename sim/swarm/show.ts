import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../src/core/system/index.ts'
import { type ConfigFile, connect, type Fabric } from '../../src/fabric/index.ts'
import { type NodeProcess, type NodeProcessOptions, startNodeProcess } from '../node-process.ts'
import { Child } from './child.ts'
import { CommandTap } from './command-tap.ts'
import { CONTRACT, MoveTo, TELEMETRY } from './contract.ts'
import { AGENT_TYPES, FLEET, KILLED_AGENT } from './fleet.ts'
import type { History } from './history.ts'
import { readLedgers } from './ledger.ts'
import { Observer } from './observer.ts'
import { Patience } from './patience.ts'
import { readHistory } from './read-history.ts'

/** What these usually take at most; a slow machine is given more. To finish: all processes together. */
const FINISH_USUAL_MS = 60_000
const SEND_USUAL_MS = 5_000
const ACT_USUAL_MS = 10_000
/** On brokers all of it may wait for one that restarts, and that an agent is gone shows only by its missing pulses. */
const BROKER_AWAY_MS = 30_000
const LOOK_EVERY_MS = 50
/** How long the killed agent stays away once that was noticed: long enough that what cannot wait for it expires. */
const AWAY_MS = 2_500
const SLOW_PAUSE_MS = 40
const CONSUMERS: Readonly<Record<string, number>> = { map: 0, archive: SLOW_PAUSE_MS }

const NEVER = new AbortController().signal

export interface ProcessRow {
  readonly pid: number
  readonly type: string
}

/** A node, a process per type of agent, consumers and a controller: started in order, and finished in order. */
export class Show {
  readonly #folder: string
  readonly #node: NodeProcess
  readonly #fabric: Fabric
  readonly #target: string | ConfigFile
  readonly #children = new Map<string, Child>()
  readonly #processes: ProcessRow[] = []
  readonly #patience = new Patience()
  readonly #late: string[] = []
  readonly observer: Observer
  #commands: CommandTap | undefined

  private constructor(
    folder: string,
    node: NodeProcess,
    at: { readonly fabric: Fabric; readonly target: string | ConfigFile },
  ) {
    this.#folder = folder
    this.#node = node
    this.#fabric = at.fabric
    this.#target = at.target
    this.#processes.push({ pid: node.pid, type: 'node' })
    const topics = Object.values(TELEMETRY).map((channel) => channel.topic)
    const url = typeof at.target === 'string' ? at.target : at.fabric.bus.name
    this.observer = new Observer(at.fabric.bus, { url, topics, groups: Object.keys(CONSUMERS) })
  }

  /** On a log of the node's own, or on the brokers that the file names. Aborting rejects, with nothing left running. */
  static async start(folder: string, brokers: ConfigFile | undefined, signal: AbortSignal): Promise<Show> {
    const ledgers = join(folder, 'ledgers')
    mkdirSync(ledgers, { recursive: true })
    const store = brokers === undefined ? { dataDirectory: join(folder, 'data') } : { configFile: brokers.config }
    const node = await startNode(store, signal)
    const target = brokers ?? node.url
    try {
      const show = new Show(ledgers, node, { fabric: await connect(target, { contract: CONTRACT, signal }), target })
      await show.#startAll(signal)
      return show
    } catch (error) {
      await node.kill()
      throw error
    }
  }

  /** Every process that ran, the killed one and its successor included. */
  get processes(): readonly ProcessRow[] {
    return this.#processes
  }

  /** What did not come in time, and else whether the machine is slow, one sentence each: it explains a missing scene. */
  get late(): readonly string[] {
    const slow = this.#late.length === 0 ? this.#patience.slow() : undefined
    return slow === undefined ? this.#late : [slow]
  }

  /** Kills the agent that has a process to itself, lets commands wait for it, starts it again, and sees it act. */
  async killAndBringBack(signal: AbortSignal): Promise<void> {
    const type = FLEET.find((agent) => agent.id === KILLED_AGENT)!.type
    await this.#children.get(type)!.kill()
    this.observer.tell(`${KILLED_AGENT} was killed (SIGKILL)`)
    await this.#sendWhileAway(signal)
    await systemClock.sleep(AWAY_MS, { signal }).catch(() => {})
    const effectsBefore = this.#effectsOfKilled()
    // Also when it is over: the end counts what this agent has left to do.
    await this.#startAgents(type, NEVER)
    await this.#untilItActs(effectsBefore, signal)
  }

  /** Finishes the work in hand, reads what is left behind, and stops everything. */
  async finish(): Promise<History> {
    const withinMs = this.#patience.waitMs(FINISH_USUAL_MS)
    const untilMs = systemClock.monotonicMs() + withinMs
    const finish = (name: string) => this.#finish(name, { untilMs, withinMs })
    this.#children.get('controller')!.tell('stop-sending')
    await finish('controller')
    await Promise.all(AGENT_TYPES.map(finish))
    await Promise.all(Object.keys(CONSUMERS).map(finish))
    await this.observer.stop()
    const history = await readHistory(this.#folder, this.#fabric.bus, await this.#commands!.finish())
    await this.#fabric.close()
    const code = await this.#node.stop()
    if (code !== 0) throw new Error(`The node did not drain: it ended with ${code}`)
    return history
  }

  /** Ends everything at once. */
  async abandon(): Promise<void> {
    await Promise.all([...this.#children.values()].map((child) => child.kill()))
    await this.#fabric.close()
    await this.#node.kill()
  }

  async #startAll(signal: AbortSignal): Promise<void> {
    try {
      for (const [group, pauseMs] of Object.entries(CONSUMERS)) {
        await this.#startChild(group, signal, './consumer-process.ts', { group, pauseMs: String(pauseMs) })
      }
      await Promise.all(AGENT_TYPES.map((type) => this.#startAgents(type, signal)))
      this.#commands = await CommandTap.open(this.#fabric.bus, MoveTo.topic)
      await this.#startChild('controller', signal, './controller-process.ts', {})
      this.observer.start()
    } catch (error) {
      await this.abandon()
      throw error
    }
  }

  /** Started again before anything was sent, the agent would have nothing that waits for it. */
  async #sendWhileAway(signal: AbortSignal): Promise<void> {
    const controller = this.#children.get('controller')!
    const withinMs = this.#waitMs(SEND_USUAL_MS)
    const sent = controller.says('sent-while-away', { withinMs, signal })
    controller.tell('agent-down')
    if ((await sent) || signal.aborted) return
    this.#late.push(this.#patience.late(`What is sent to ${KILLED_AGENT} while it is away`, withinMs))
  }

  async #untilItActs(effectsBefore: number, signal: AbortSignal): Promise<void> {
    const waitMs = this.#waitMs(ACT_USUAL_MS)
    const untilMs = systemClock.monotonicMs() + waitMs
    while (this.#effectsOfKilled() <= effectsBefore && !signal.aborted) {
      if (systemClock.monotonicMs() > untilMs) {
        this.#late.push(this.#patience.late(`The first effect of ${KILLED_AGENT} after it was back`, waitMs))
        return
      }
      await systemClock.sleep(LOOK_EVERY_MS, { signal }).catch(() => {})
    }
  }

  #waitMs(usualMs: number): number {
    const isOnBrokers = typeof this.#target !== 'string'
    return this.#patience.waitMs(usualMs + (isOnBrokers ? BROKER_AWAY_MS : 0))
  }

  #effectsOfKilled(): number {
    return readLedgers(this.#folder, `${KILLED_AGENT}.effects`).flat().length
  }

  #startAgents(type: string, signal: AbortSignal): Promise<void> {
    return this.#startChild(type, signal, './agent-process.ts', { type })
  }

  async #startChild(
    name: string,
    signal: AbortSignal,
    module: string,
    more: Readonly<Record<string, string>>,
  ): Promise<void> {
    signal.throwIfAborted()
    const type = module.includes('consumer') ? 'consumer' : name
    const url = typeof this.#target === 'string' ? this.#target : `config:${this.#target.config}`
    const child = new Child(type, module, { url, folder: this.#folder, ...more })
    this.#children.set(name, child)
    this.#processes.push({ pid: child.pid, type })
    const startedAtMs = systemClock.monotonicMs()
    await child.ready(signal)
    this.#patience.started(systemClock.monotonicMs() - startedAtMs)
  }

  async #finish(name: string, { untilMs, withinMs }: { untilMs: number; withinMs: number }): Promise<void> {
    const isInTime = await this.#children.get(name)!.finish(Math.max(0, untilMs - systemClock.monotonicMs()))
    if (!isInTime) throw new Error(this.#patience.late(`The end of the process of ${name}`, withinMs))
    this.#children.delete(name)
  }
}

const INTERRUPT_MS = 100

/** Killed at once when the signal comes before it is ready. */
async function startNode(store: NodeProcessOptions, signal: AbortSignal): Promise<NodeProcess> {
  signal.throwIfAborted()
  let kill = () => {}
  const onAbort = () => kill()
  signal.addEventListener('abort', onAbort)
  try {
    const onSpawn: NodeProcessOptions['onSpawn'] = (child) => {
      kill = () => child.kill('SIGKILL')
    }
    return await startNodeProcess({ ...store, detached: true, onSpawn })
  } catch (error) {
    // A Ctrl-C that came before the process left the group has ended it, and may be told here a moment later.
    await systemClock.sleep(INTERRUPT_MS, { signal }).catch(() => {})
    throw error
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
