import type { StoredOutcome } from './outcome.ts'

/** One command as it is claimed. */
export interface ClaimRequest {
  readonly intentId: string
  readonly agentId: string
  /** The epoch of the agent that claims. */
  readonly epoch: number
  /** The agent's epoch when the command was sent. */
  readonly sentEpoch: number
  /** It was sent while the agent was away, for whichever epoch comes next. */
  readonly held: boolean
  /** Names the running receiver: a repeat of a claim whose answer was lost is told from one made before a crash. */
  readonly incarnation: string
  /** SHA-256 of type and value, hex: the same id with another body is refused. */
  readonly bodyHash: string
  readonly sender: string
  readonly type: string
  /** Absolute, node time: claimed later than this it is `expired`. */
  readonly deadlineMs: number
  /** After a crash between claim and outcome it may run again, as long as it is fresh. */
  readonly idempotent: boolean
}

/** A command that is settled without having been claimed, or the outcome of one that was. */
export interface SettleRequest extends ClaimRequest {
  readonly outcome: StoredOutcome
}

export type ClaimResult =
  /**
   * Durably claimed for this receiver: run it. `again`: it had been claimed before a crash and is idempotent.
   * `replaced`: what stands for each command that was given as replaced.
   */
  | { readonly kind: 'claimed'; readonly again: boolean; readonly replaced: readonly StoredOutcome[] }
  /** Decided before, or just now (`unknown` after a crash, `expired` past the deadline): report this, never run. */
  | { readonly kind: 'seen'; readonly outcome: StoredOutcome }
  /** The same id was used before with another body: refuse this one, the first one's row stays. */
  | { readonly kind: 'conflict' }

/** An outcome that was stored, and perhaps never reported, before the receiver stopped. */
export interface Unreported {
  readonly intentId: string
  readonly sender: string
  readonly type: string
  readonly outcome: StoredOutcome
}

/**
 * Where an agent remembers which commands it has seen. Everything resolved is durable first. Rows live until their
 * deadline plus clock error plus a grace; a repeat later than that is `expired`, whatever the clock says. Each call
 * rejects with `overloaded` when the inbox is full of rows that may not go yet, with `fenced` when a newer epoch has
 * used the inbox, with what the disk or the node says when it cannot be made durable: then nothing was decided.
 */
export interface InboxStore {
  /**
   * Claims one command. `replaces` are commands that have not been claimed and that this one makes pointless: their
   * outcomes are stored together with the claim, or, when it is not claimed, not at all.
   */
  claim(
    request: ClaimRequest,
    options?: InboxCallOptions & { readonly replaces?: readonly SettleRequest[] },
  ): Promise<ClaimResult>
  /** Stores an outcome unless there is one, and resolves to the one that stands. */
  settle(request: SettleRequest, options?: InboxCallOptions): Promise<StoredOutcome>
  /** Notes, without waiting for a disk, that an outcome was reported: it need not be after a restart. */
  reported(identity: { readonly intentId: string; readonly agentId: string }): void
  /**
   * What a receiver must say when it starts: outcomes never reported, and `unknown` for what was claimed before and
   * cannot run again. `againMs`: idempotent commands are still waiting to be delivered again until then (node time).
   */
  recover(
    session: InboxSession,
    options?: InboxCallOptions,
  ): Promise<{
    readonly unreported: readonly Unreported[]
    readonly againMs: number | undefined
  }>
  close(): Promise<void>
}

export interface InboxSession {
  readonly agentId: string
  readonly epoch: number
  readonly incarnation: string
}

export interface InboxCallOptions {
  readonly signal?: AbortSignal
}
