/** All agents of one type, in a process of their own. */
import { join } from 'node:path'
import { setImmediate as aTurn, setTimeout as sleep } from 'node:timers/promises'
import type { Durability } from '../../src/bus/index.ts'
import type { FabricAgent as Agent } from '../../src/fabric/index.ts'
import { Capture, Frame, Health, Inspect, MoveTo, Plan, Position, Sighting, Survey } from './contract.ts'
import { type AgentSpec, type AgentType, FLEET } from './fleet.ts'
import type { AcknowledgedLine, EffectLine } from './history.ts'
import { ifReachable } from './if-reachable.ts'
import { Ledger } from './ledger.ts'
import { leave, takeRole } from './role.ts'

/** Whatever the node stands on may be restarting. */
const JOIN_WITHIN_MS = 60_000

const role = takeRole()
const { folder, type } = role.arguments
const fabric = await role.connect()
let publishing = true

/** Reports made in a row at most, and those on their way at most, by one that does not wait for each. */
const BURST_MAX = 8
const UNDER_WAY_MAX = 64

type Publish = (origin: { readonly epoch: number; readonly count: number }) => Promise<{ durability: Durability }>

/** One joined agent with its two ledgers: what it was told is safe, and what it did. */
class Member {
  readonly #agent: Agent
  readonly #spec: AgentSpec
  readonly #acknowledged: Ledger
  readonly #effects: Ledger
  readonly #counts = new Map<string, number>()

  constructor(agent: Agent, spec: AgentSpec) {
    this.#agent = agent
    this.#spec = spec
    this.#acknowledged = new Ledger(join(folder, `${spec.id}.acknowledged`))
    this.#effects = new Ledger(join(folder, `${spec.id}.effects`))
  }

  /** Runs the command for about so long, then writes the effect: the last thing before the handler returns. */
  async effect(intentId: string, signal: AbortSignal, aboutMs: number): Promise<void> {
    const startedAtMs = Date.now()
    await sleep(aboutMs * (0.5 + Math.random()) * this.#spec.slowness, undefined, { signal })
    signal.throwIfAborted()
    const line: EffectLine = { intentId, agentId: this.#spec.id, epoch: this.#agent.epoch, startedAtMs }
    this.#effects.write(line)
  }

  /** One report after the other, each acknowledged before the next is made. */
  async report(channel: string, everyMs: number, publish: Publish): Promise<void> {
    while (publishing) {
      await this.#publish(channel, publish)
      await sleep(everyMs * (0.8 + 0.4 * Math.random()))
    }
  }

  /**
   * Some reports in a row, in turns of their own, without waiting for what is on its way within a bound: their order is
   * up to whatever lies between here and the log.
   */
  async stream(channel: string, everyMs: number, publish: Publish): Promise<void> {
    const underWay = new Set<Promise<void>>()
    while (publishing) {
      for (let left = Math.ceil(Math.random() * BURST_MAX); left > 0; left -= 1) {
        const published = this.#publish(channel, publish).finally(() => underWay.delete(published))
        underWay.add(published)
        await (underWay.size < UNDER_WAY_MAX ? aTurn() : Promise.race(underWay))
      }
      await sleep(everyMs * (0.8 + 0.4 * Math.random()))
    }
    await Promise.all(underWay)
  }

  async #publish(channel: string, publish: Publish): Promise<void> {
    const count = (this.#counts.get(channel) ?? 0) + 1
    this.#counts.set(channel, count)
    const { epoch } = this.#agent
    const receipt = await ifReachable(publish({ epoch, count }))
    if (receipt !== undefined) this.#acknowledge({ epoch, channel, count, durability: receipt.durability })
  }

  #acknowledge(of: Omit<AcknowledgedLine, 'agentId'>): void {
    const line: AcknowledgedLine = { agentId: this.#spec.id, ...of }
    this.#acknowledged.write(line)
  }
}

const BEHAVIOURS: Readonly<
  Record<AgentType, (agent: Agent, member: Member, spec: AgentSpec) => ReadonlyArray<Promise<void>>>
> = {
  quadrotor(agent, member, spec) {
    agent.handle(MoveTo, async (command, { signal }) => {
      await member.effect(command.intentId, signal, 600)
      return command.value
    })
    return [flyAround(agent, member, spec, 80), tellHealth(agent, member, 500)]
  },
  rover(agent, member, spec) {
    agent.handle(Inspect, (command, { signal }) => member.effect(command.intentId, signal, 250))
    return [flyAround(agent, member, spec, 50), tellHealth(agent, member, 500)]
  },
  camera(agent, member, spec) {
    agent.handle(Capture, async (command, { signal }) => {
      await agent.append(Sighting, { camera: spec.id, object: `object-${Math.ceil(Math.random() * 9)}` })
      await member.effect(command.intentId, signal, command.value.exposureMs)
    })
    return [
      member.report(Frame.type, 100, (origin) =>
        agent.publish(Frame, { ...origin, objects: Math.floor(Math.random() * 5), sharpness: Math.random() }),
      ),
    ]
  },
  'planner-bot'(agent, member) {
    agent.handle(Plan, async (command, { signal }) => {
      await member.effect(command.intentId, signal, 200)
      return { steps: ['look', `reach ${command.value.goal}`, 'report'] }
    })
    return [tellHealth(agent, member, 250)]
  },
  scout(agent, member, spec) {
    agent.handle(Survey, (command, { signal }) => member.effect(command.intentId, signal, 400))
    return [flyAround(agent, member, spec, 80)]
  },
}

function flyAround(agent: Agent, member: Member, spec: AgentSpec, everyMs: number): Promise<void> {
  let angle = Math.random() * 2 * Math.PI
  const home = { latitude: spec.region === 'north' ? 47.4 : 46.2, longitude: 8.5 }
  const isRover = spec.type === 'rover'
  const publish: Publish = (origin) => {
    angle += 0.01
    const at = { latitude: home.latitude + Math.sin(angle) / 100, longitude: home.longitude + Math.cos(angle) / 100 }
    return agent.publish(Position, { ...origin, ...at, altitude: isRover ? 0 : 120 })
  }
  // What flies has more to say than it waits for.
  return isRover ? member.report(Position.type, everyMs, publish) : member.stream(Position.type, everyMs, publish)
}

function tellHealth(agent: Agent, member: Member, everyMs: number): Promise<void> {
  return member.report(Health.type, everyMs, (origin) =>
    agent.publish(Health, { ...origin, battery: Math.random(), memoryBytes: process.memoryUsage.rss() }),
  )
}

const reporting: Promise<void>[] = []
for (const spec of FLEET.filter((agent) => agent.type === type)) {
  // Cameras have no disk of their own: the node keeps their inbox.
  const state = spec.type === 'camera' ? {} : { stateDir: join(folder, 'state', spec.id) }
  const agent = await fabric.join({
    ...{ id: spec.id, type: spec.type, region: spec.region },
    ...state,
    timeoutMs: JOIN_WITHIN_MS,
  })
  const member = new Member(agent, spec)
  reporting.push(...BEHAVIOURS[spec.type](agent, member, spec))
}
role.ready()
await role.finish
publishing = false
await Promise.all(reporting)
await fabric.drain()
leave()
