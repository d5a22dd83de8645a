import type { Liveness } from '../channel/index.ts'
import type { KeysOf } from '../core/index.ts'

export interface LivenessPolicy {
  /** How often an agent pulses, ms. Default 1,000. */
  readonly pulseMs: number
  /** Pulses missed in a row that make an agent `suspect`. Default 3. */
  readonly suspectAfterPulses: number
  /** Pulses missed in a row that make an agent `lost`. Default 10. */
  readonly lostAfterPulses: number
  /** How much longer agents have after the decider itself was away (started again, paused), ms. Default 5,000. */
  readonly graceMs: number
}

export const LIVENESS_KEYS: KeysOf<LivenessPolicy> = {
  pulseMs: true,
  suspectAfterPulses: true,
  lostAfterPulses: true,
  graceMs: true,
}

export const DEFAULT_LIVENESS_POLICY: LivenessPolicy = {
  pulseMs: 1_000,
  suspectAfterPulses: 3,
  lostAfterPulses: 10,
  graceMs: 5_000,
}

/** A change of liveness that the table has decided. */
export interface Transition {
  readonly agentId: string
  readonly from: Liveness
  readonly to: 'alive' | 'suspect' | 'lost'
  readonly reason: 'pulse' | 'pulses-missed' | 'connection-closed'
}

interface Watched {
  liveness: 'alive' | 'suspect' | 'lost'
  /** Monotonic time of the last sign of life, or later when a grace was given. */
  heardAtMs: number
}

/**
 * Who is alive, as a state machine without a clock: times come in, on one monotonic clock, and decided transitions come
 * out. Silence is only held against an agent while the decider itself was listening: see `tick()`.
 */
export class LivenessTable {
  readonly #policy: LivenessPolicy
  readonly #watched = new Map<string, Watched>()
  #tickedAtMs: number | undefined

  constructor(policy: LivenessPolicy) {
    this.#policy = policy
  }

  get size(): number {
    return this.#watched.size
  }

  livenessOf(agentId: string): 'alive' | 'suspect' | 'lost' | undefined {
    return this.#watched.get(agentId)?.liveness
  }

  /** A fresh join: alive from now on, whatever was before. */
  joined(agentId: string, nowMs: number): void {
    this.#watched.set(agentId, { liveness: 'alive', heardAtMs: nowMs })
  }

  /** Takes over an agent as another decider left it, with a grace to be heard again. */
  restored(agentId: string, liveness: 'alive' | 'suspect' | 'lost', nowMs: number): void {
    this.#watched.set(agentId, { liveness, heardAtMs: nowMs + this.#policy.graceMs })
  }

  left(agentId: string): void {
    this.#watched.delete(agentId)
  }

  /** A pulse came. Gives the transition back to `alive`, if it is one. */
  heard(agentId: string, nowMs: number): Transition | undefined {
    const agent = this.#watched.get(agentId)
    if (!agent) return undefined
    agent.heardAtMs = Math.max(agent.heardAtMs, nowMs)
    if (agent.liveness === 'alive') return undefined
    return this.#move(agentId, agent, 'alive', 'pulse')
  }

  /** Its connection closed: suspect at once, without waiting for pulses to be missed. */
  connectionClosed(agentId: string): Transition | undefined {
    const agent = this.#watched.get(agentId)
    if (agent?.liveness !== 'alive') return undefined
    return this.#move(agentId, agent, 'suspect', 'connection-closed')
  }

  /**
   * Call several times per pulse. When much more time than that passed since the last tick, it was the decider that
   * was away, and pulses may still wait unread: every agent gets that time back, and the grace.
   */
  tick(nowMs: number): readonly Transition[] {
    const awayMs = this.#tickedAtMs === undefined ? 0 : nowMs - this.#tickedAtMs
    this.#tickedAtMs = nowMs
    if (awayMs > 2 * this.#policy.pulseMs) this.#forgive(awayMs, nowMs)
    const transitions: Transition[] = []
    for (const [agentId, agent] of this.#watched) {
      const next = this.#judge(agent, nowMs)
      if (next !== undefined) transitions.push(this.#move(agentId, agent, next, 'pulses-missed'))
    }
    return transitions
  }

  #judge(agent: Watched, nowMs: number): 'suspect' | 'lost' | undefined {
    if (agent.liveness === 'lost') return undefined
    const missed = (nowMs - agent.heardAtMs) / this.#policy.pulseMs
    if (missed >= this.#policy.lostAfterPulses) return 'lost'
    return agent.liveness === 'alive' && missed >= this.#policy.suspectAfterPulses ? 'suspect' : undefined
  }

  #forgive(awayMs: number, nowMs: number): void {
    for (const agent of this.#watched.values()) {
      agent.heardAtMs = Math.max(agent.heardAtMs, Math.min(agent.heardAtMs + awayMs, nowMs) + this.#policy.graceMs)
    }
  }

  #move(agentId: string, agent: Watched, to: Watched['liveness'], reason: Transition['reason']): Transition {
    const from = agent.liveness
    agent.liveness = to
    return { agentId, from, to, reason }
  }
}
