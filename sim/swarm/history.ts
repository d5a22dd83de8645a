import type { Durability } from '../../src/bus/index.ts'
/** What a run of the swarm left behind: lines of the ledgers, and records read back from the log. The audit's only input. */
export interface History {
  /** Telemetry as it lies in the log. */
  readonly stored: readonly StoredReport[]
  /** Publishes that an agent was told are safe. */
  readonly acknowledged: readonly AcknowledgedLine[]
  /** One list per consumer, in the order in which it handled them. */
  readonly consumers: readonly (readonly ConsumedLine[])[]
  /** Commands as they were read from the log, resends included. */
  readonly commands: readonly CommandRecord[]
  /** Outcomes as they lie in the log. */
  readonly outcomes: readonly OutcomeRecord[]
  /** What the sender was told, by its own ledger. */
  readonly told: readonly OutcomeRecord[]
  /** Written by agents when a handler completed. */
  readonly effects: readonly EffectLine[]
  /** Join records, in the log's order. */
  readonly joins: readonly JoinRecord[]
}

/** Names one report for good: the agent, its incarnation, and its own count. */
export interface ReportName {
  readonly agentId: string
  readonly epoch: number
  readonly channel: string
  readonly count: number
}

/** Where a record lies in the log. */
export interface Place {
  readonly topic: string
  readonly partition: number
  readonly sequence: number
}

export interface StoredReport extends ReportName, Place {}

export interface AcknowledgedLine extends ReportName {
  readonly durability: Durability
}

export interface ConsumedLine extends ReportName, Place {}

export interface CommandRecord {
  readonly intentId: string
  readonly agentId: string
  /** The last moment at which a handler may begin, ms since 1970-01-01 UTC by the node's clock. */
  readonly startByMs: number
}

export interface OutcomeRecord {
  readonly intentId: string
  readonly agentId: string
  readonly state: string
  readonly reason?: string | undefined
}

export interface EffectLine {
  readonly intentId: string
  readonly agentId: string
  readonly epoch: number
  readonly startedAtMs: number
}

export interface JoinRecord {
  readonly agentId: string
  readonly agentType: string
  readonly epoch: number
  /** By the node's clock. */
  readonly atMs: number
}
