/** What channels need from rooms above them, implemented there and bound in `fabric/` or `node/`. */

export type Liveness = 'alive' | 'suspect' | 'lost' | 'left'

/** One agent as the roster has it. */
export interface AgentRecord {
  readonly id: string
  readonly type: string
  readonly region: string
  readonly labels: Readonly<Record<string, string>>
  readonly capabilities: readonly string[]
  /** The position of its newest join in the roster topic: a newer join has a greater epoch. */
  readonly epoch: number
  readonly liveness: Liveness
  readonly joinedAtMs: number
  /** Node time of the last thing heard of it. */
  readonly seenAtMs: number
}

/** All fields given must match; an empty selector is every agent. */
export interface AgentSelector {
  readonly type?: string
  readonly region?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly capability?: string
}

/** Who is in the swarm, folded from the roster topic. */
export interface Roster {
  /** Resolves when everything written before the call is folded in. */
  ready(): Promise<void>
  get(agentId: string): AgentRecord | undefined
  /** Agents that have not left, sorted by id. */
  select(selector: AgentSelector): readonly AgentRecord[]
}

/** The identity under which an agent receives. */
export interface AgentIdentity {
  readonly id: string
  readonly type: string
  readonly region: string
  readonly epoch: number
}

/** Node time as seen from here. Deadlines are in node time. */
export interface NodeTime {
  /**
   * The latest that the node's clock can show now: its last answer plus everything that passed here, on the monotonic
   * clock, since that question was sent. Undefined without a usable exchange: then a command counts as expired.
   */
  latestMs(): number | undefined
  /**
   * The earliest it can show: its last answer plus everything that passed here since that answer arrived. A sender
   * counts a new deadline from it, so that no command is fresh for longer than was asked.
   */
  earliestMs(): number | undefined
}

/**
 * An agent's right to act under its epoch, as far as it can know. A process that was paused finds it expired when it
 * goes on, before anybody told it that a newer epoch took its place: check `held()` before acting, else `renew()`.
 */
export interface Lease {
  /** No newer epoch is known and the last exchange with the node is young enough on the monotonic clock. */
  held(): boolean
  /** Asks the node. Resolves when held again; rejects with `fenced`, with `closed`, with `signal.reason`. */
  renew(options?: { readonly signal?: AbortSignal }): Promise<void>
  /** Aborts, once and for good, with the `fenced` error as its reason. */
  readonly fenced: AbortSignal
}

/** Quotas: delay first, then a typed refusal. */
export interface Admission {
  /**
   * Undefined: go on at once (the usual case, and synchronous). A promise: wait for it. It rejects with
   * `quota-exceeded` when the wait would be longer than the policy allows.
   */
  admit(request: AdmissionRequest): Promise<void> | undefined
}

export interface AdmissionRequest {
  readonly principal: string | undefined
  readonly agent: string | undefined
  readonly topic: string
  readonly messages: number
  readonly bytes: number
}
