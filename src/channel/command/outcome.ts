/** What became of one command at one agent. Only these are final. */
export type FinalState = 'done' | 'rejected' | 'failed' | 'expired' | 'unknown'

/** Why an outcome is not `done`. Programs switch on it; `message` is for people. */
export type OutcomeReason =
  /** rejected: it was sent to an older epoch of the agent. */
  | 'stale'
  /** rejected: the same intent id came before with another body. */
  | 'intent-reused'
  /** rejected: the agent handles no such command. */
  | 'unknown-command'
  /** rejected: the value does not fit the agent's schema. */
  | 'schema-mismatch'
  /** rejected: the handler threw `CommandRejected`. */
  | 'refused'
  /** failed: a later command with `overlap: 'replace'` took its place. */
  | 'replaced'
  /** failed: it ran longer than `completeWithinMs`. */
  | 'timed-out'
  /** failed: the handler threw. */
  | 'handler-failed'
  /** failed: the handler came to its end, and its reply is larger than an outcome may be. */
  | 'reply-too-large'
  /** failed: the agent was closed while it ran. */
  | 'closed'
  /** expired: it was not claimed within `startWithinMs`. */
  | 'deadline'
  /** expired: it was withdrawn, provably before any agent had been given it. */
  | 'undelivered'
  /** unknown: the agent stopped between claim and outcome; the effect may have happened or not. */
  | 'interrupted'
  /** unknown: it was accepted, and nothing was heard of it yet. */
  | 'pending'
  /** unknown: nothing was heard in time. `outcome()` may resolve it later. */
  | 'no-answer'

/** An outcome as an inbox keeps it and as the outcome topic carries it: the reply still encoded. */
export interface StoredOutcome {
  readonly state: FinalState
  readonly reason?: OutcomeReason | undefined
  readonly message?: string | undefined
  /** Of `done`: the reply as its codec wrote it. */
  readonly reply?: Uint8Array | string | undefined
  /** When it was decided, node time as the decider saw it. */
  readonly atMs: number
}

/** Which command, at which agent. */
export interface OutcomeIdentity {
  readonly intentId: string
  readonly agentId: string
}

/** What `send()` resolves to. Nothing here is an error of the call: the command was sent, and this became of it. */
export type Outcome<Reply = unknown> =
  | (OutcomeIdentity & { readonly state: 'done'; readonly reply: Reply })
  | (OutcomeIdentity & {
      readonly state: 'rejected' | 'failed' | 'expired' | 'unknown'
      readonly reason: OutcomeReason
      readonly message: string
    })
