import type { AgentRecord, AgentSelector, Liveness } from '../channel/index.ts'
import { SkeinError } from '../core/index.ts'
import { fencedBy } from './fenced-by.ts'
import { type LivenessPolicy, LivenessTable, type Transition } from './liveness.ts'
import type { AgentRequest, ChangeRequest, JoinRequest, PulseReply } from './protocol.ts'
import { matchesSelector } from './roster-fold.ts'
import type { AgentState, RosterEvents } from './roster-record.ts'
import type { SwarmEvent, SwarmEventKind } from './swarm-event.ts'

/** A moment on the decider's two clocks. */
export interface Moment {
  readonly wallMs: number
  readonly monotonicMs: number
}

/** A state to be written, and what to tell of it. */
export interface Decided {
  readonly state: AgentState
  readonly events: RosterEvents
}

/** A change of liveness to be written. */
export interface DecidedLiveness extends Decided, Unwritten {}

interface Unwritten {
  readonly from: Liveness
  readonly reason: Transition['reason']
}

/** A join to be written; where the record lands gives its epoch. */
export interface PlannedJoin {
  readonly state: Omit<AgentState, 'epoch'>
  readonly events: RosterEvents
}

/** An agent whose place a newer epoch took. */
export interface FencedAgent {
  readonly agentId: string
  readonly epoch: number
  readonly byEpoch: number
  /** The connection it was last heard on, as the gateway names it; undefined when the newer one came over the same. */
  readonly connection: string | undefined
}

interface Owned {
  state: AgentState
  connection: string | undefined
  seenAtMs: number
  /** A transition that is decided and not yet written. */
  unwritten: Unwritten | undefined
}

interface DeciderLimits {
  readonly agentsMax: number
  readonly forgetAfterMs: number
}

/**
 * All decisions of one owner, without I/O: requests and moments come in, records to write come out, and what was
 * written is confirmed. A join, change or leave counts only from its confirmation on; liveness counts at once and its
 * record follows.
 */
export class Decider {
  readonly #limits: DeciderLimits
  readonly #table: LivenessTable
  readonly #agents = new Map<string, Owned>()
  readonly #connections = new Map<string, Set<string>>()
  readonly #unwritten = new Set<string>()
  #heard = new Map<string, number>()

  constructor(policy: LivenessPolicy, limits: DeciderLimits) {
    this.#limits = limits
    this.#table = new LivenessTable(policy)
  }

  get(agentId: string): AgentRecord | undefined {
    const agent = this.#agents.get(agentId)
    return agent && { ...agent.state, seenAtMs: agent.seenAtMs }
  }

  all(): readonly AgentRecord[] {
    const records = [...this.#agents.keys()].map((agentId) => this.get(agentId)!)
    return records.sort((one, other) => (one.id < other.id ? -1 : 1))
  }

  select(selector: AgentSelector): readonly AgentRecord[] {
    return this.all().filter((agent) => agent.liveness !== 'left' && matchesSelector(agent, selector))
  }

  /** Takes over what the roster says, when the owner starts: each of its records, in order. */
  restore(state: AgentState, now: Moment): void {
    this.#agents.set(state.id, { state, connection: undefined, seenAtMs: state.seenAtMs, unwritten: undefined })
    if (state.liveness === 'left') this.#table.left(state.id)
    else this.#table.restored(state.id, state.liveness, now.monotonicMs)
  }

  /** The join to write, or the epoch of this very request when it was granted before. Throws `overloaded`. */
  planJoin(request: JoinRequest, now: Moment): PlannedJoin | { readonly epoch: number } {
    const known = this.#agents.get(request.id)
    if (known?.state.joinId === request.joinId && known.state.liveness !== 'left') return { epoch: known.state.epoch }
    if (!known && this.#agents.size >= this.#limits.agentsMax) throw tooMany(request.id, this.#limits.agentsMax)
    const { id, type, region, labels = {}, capabilities = [], joinId } = request
    const atMs = now.wallMs
    const joined: SwarmEvent = { kind: 'joined', agentId: id, atMs, type, region }
    const fenced: SwarmEvent[] =
      known && known.state.liveness !== 'left' ? [{ kind: 'fenced', agentId: id, epoch: known.state.epoch, atMs }] : []
    return {
      state: { id, type, region, labels, capabilities, joinId, liveness: 'alive', joinedAtMs: atMs, seenAtMs: atMs },
      events: [...fenced, joined],
    }
  }

  /** The join is written: the agent is in, and whoever was there before under this id is fenced. */
  confirmJoin(state: AgentState, connection: string | undefined, now: Moment): FencedAgent | undefined {
    const { id: agentId, epoch: byEpoch } = state
    const before = this.#agents.get(agentId)
    const cut = before?.connection === connection ? undefined : before?.connection
    const agent = { state, connection: undefined, seenAtMs: now.wallMs, unwritten: undefined }
    this.#agents.set(agentId, agent)
    this.#unwritten.delete(agentId)
    this.#table.joined(agentId, now.monotonicMs)
    if (before) this.#unbind(agentId, before)
    this.#bind(agentId, agent, connection)
    this.#heard.set(agentId, byEpoch)
    if (!before || before.state.liveness === 'left') return undefined
    return { agentId, epoch: before.state.epoch, byEpoch, connection: cut }
  }

  pulse(request: AgentRequest, connection: string | undefined, now: Moment): PulseReply {
    const agent = this.#agents.get(request.id)
    const epoch = agent?.state.epoch
    const nowMs = now.wallMs
    if (!agent || epoch === undefined || epoch < request.epoch || agent.state.liveness === 'left') {
      return { state: 'unknown', epoch, nowMs }
    }
    if (epoch > request.epoch) return { state: 'fenced', epoch, nowMs }
    agent.seenAtMs = nowMs
    this.#heard.set(request.id, epoch)
    if (agent.connection !== connection) {
      this.#unbind(request.id, agent)
      this.#bind(request.id, agent, connection)
    }
    const transition = this.#table.heard(request.id, now.monotonicMs)
    if (transition) this.#note(transition)
    return { state: 'alive', epoch, nowMs }
  }

  /** The leave to write; undefined when it has left already. Throws `fenced`, `unknown-agent`. */
  planLeave(request: AgentRequest, now: Moment): Decided | undefined {
    const { state } = this.#current(request)
    if (state.liveness === 'left') return undefined
    const event = eventOf('left', state, now.wallMs)
    return { state: { ...state, liveness: 'left', seenAtMs: now.wallMs }, events: [event] }
  }

  /** The change to write; undefined when nothing differs. Throws `fenced`, `unknown-agent`. */
  planChange(request: ChangeRequest, now: Moment): Decided | undefined {
    const { state } = this.#current(request)
    if (state.liveness === 'left') throw unknownAgent(request.id)
    const { type = state.type, region = state.region, labels, capabilities } = request.change
    const next: AgentState = {
      ...state,
      type,
      region,
      labels: labels ?? state.labels,
      capabilities: capabilities ?? state.capabilities,
      seenAtMs: now.wallMs,
    }
    const events = changeEvents(state, next, now.wallMs)
    return events.length === 0 ? undefined : { state: next, events }
  }

  /** A leave or change is written. Its liveness may have changed meanwhile, and that stands. */
  confirm({ state }: Decided): void {
    const agent = this.#agents.get(state.id)
    if (agent?.state.epoch !== state.epoch) return
    if (state.liveness !== 'left') {
      agent.state = { ...state, liveness: agent.state.liveness }
      return
    }
    agent.state = state
    this.#table.left(state.id)
    this.#unwritten.delete(state.id)
    agent.unwritten = undefined
    this.#unbind(state.id, agent)
  }

  /** Who was last heard on this connection. */
  agentsOn(connection: string): ReadonlySet<string> | undefined {
    return this.#connections.get(connection)
  }

  /** Every agent last heard on this connection becomes suspect at once. */
  connectionClosed(connection: string): void {
    for (const agentId of this.#connections.get(connection) ?? []) {
      const transition = this.#table.connectionClosed(agentId)
      if (transition) this.#note(transition)
    }
    this.#connections.delete(connection)
  }

  tick(now: Moment): void {
    for (const transition of this.#table.tick(now.monotonicMs)) this.#note(transition)
  }

  get hasUnwritten(): boolean {
    return this.#unwritten.size > 0
  }

  /** Takes the liveness records to write, but for agents that `skip` names: they stay for the next time. */
  takeUnwritten(skip: (agentId: string) => boolean, now: Moment): readonly DecidedLiveness[] {
    const taken: DecidedLiveness[] = []
    for (const agentId of [...this.#unwritten]) {
      if (skip(agentId)) continue
      this.#unwritten.delete(agentId)
      const agent = this.#agents.get(agentId)!
      const { from, reason } = agent.unwritten!
      agent.unwritten = undefined
      const { liveness } = agent.state
      if (liveness === from) continue
      agent.state = { ...agent.state, seenAtMs: agent.seenAtMs }
      const kind = liveness === 'alive' ? 'back' : (liveness as 'suspect' | 'lost')
      const event = { ...eventOf(kind, agent.state, now.wallMs), reason }
      taken.push({ state: agent.state, events: [event], from, reason })
    }
    return taken
  }

  /** What was taken could not be written: it is taken again next time, merged with what came since. */
  giveBack(decided: readonly DecidedLiveness[]): void {
    for (const { state, from, reason } of decided) {
      const agent = this.#agents.get(state.id)
      if (agent?.state.epoch !== state.epoch || agent.state.liveness === 'left') continue
      agent.unwritten = { from, reason: agent.unwritten?.reason ?? reason }
      this.#unwritten.add(state.id)
    }
  }

  /** Who was heard since the last call, with epochs. */
  takeHeard(): ReadonlyMap<string, number> {
    const heard = this.#heard
    this.#heard = new Map()
    return heard
  }

  /** Agents that left or were lost so long ago that the roster need not keep them. */
  forgettable(now: Moment): readonly string[] {
    const beforeMs = now.wallMs - this.#limits.forgetAfterMs
    const gone = [...this.#agents.values()].filter(({ state, seenAtMs }) => {
      return (state.liveness === 'left' || state.liveness === 'lost') && seenAtMs < beforeMs
    })
    return gone.map(({ state }) => state.id)
  }

  confirmForgotten(agentId: string): void {
    const agent = this.#agents.get(agentId)
    if (!agent || agent.state.liveness === 'alive') return
    this.#agents.delete(agentId)
    this.#table.left(agentId)
    this.#unwritten.delete(agentId)
    this.#unbind(agentId, agent)
  }

  #current(request: AgentRequest): Owned {
    const agent = this.#agents.get(request.id)
    if (!agent || agent.state.epoch < request.epoch) throw unknownAgent(request.id)
    if (agent.state.epoch > request.epoch) throw fencedBy(request, agent.state.epoch)
    return agent
  }

  #note({ agentId, from, to, reason }: Transition): void {
    const agent = this.#agents.get(agentId)!
    agent.state = { ...agent.state, liveness: to }
    agent.unwritten = { from: agent.unwritten?.from ?? from, reason }
    this.#unwritten.add(agentId)
  }

  #bind(agentId: string, agent: Owned, connection: string | undefined): void {
    agent.connection = connection
    if (connection === undefined) return
    const bound = this.#connections.get(connection)
    if (bound) bound.add(agentId)
    else this.#connections.set(connection, new Set([agentId]))
  }

  #unbind(agentId: string, agent: Owned): void {
    if (agent.connection === undefined) return
    const bound = this.#connections.get(agent.connection)
    bound?.delete(agentId)
    if (bound?.size === 0) this.#connections.delete(agent.connection)
  }
}

function eventOf(kind: SwarmEventKind, state: AgentState, atMs: number): SwarmEvent {
  return { kind, agentId: state.id, epoch: state.epoch, atMs, type: state.type, region: state.region }
}

function changeEvents(before: AgentState, after: AgentState, atMs: number): readonly SwarmEvent[] {
  const moved = before.region !== after.region
  const role = before.type !== after.type || !sameRole(before, after)
  return [
    ...(moved ? [{ ...eventOf('moved', after, atMs), fromRegion: before.region }] : []),
    ...(role ? [eventOf('role-changed', after, atMs)] : []),
  ]
}

function sameRole(before: AgentState, after: AgentState): boolean {
  return JSON.stringify([before.labels, before.capabilities]) === JSON.stringify([after.labels, after.capabilities])
}

function unknownAgent(id: string): SkeinError {
  const message = `Cannot find agent "${id}": it is not in the roster under this epoch; join again`
  return new SkeinError('unknown-agent', message, { details: { agentId: id } })
}

function tooMany(id: string, agentsMax: number): SkeinError {
  const message = `Cannot let "${id}" join: the roster holds ${agentsMax} agents, its limit`
  return new SkeinError('overloaded', message, { details: { agentId: id, agentsMax } })
}
