import type { Bus } from '../../bus/index.ts'
import { type Clock, type Random, UnsupportedError } from '../../core/index.ts'
import type { AgentIdentity, Lease, NodeTime } from '../ports.ts'
import type { CommandDefinition } from './definition.ts'
import type { InboxStore } from './inbox-store.ts'

/** A command as a handler gets it. */
export interface ReceivedCommand<Value> {
  readonly intentId: string
  readonly sender: string
  readonly type: string
  readonly value: Value
  /** Until when it could be claimed, node time. */
  readonly deadlineMs: number
  /** It had been claimed before a crash and may have taken effect already: only when declared idempotent. */
  readonly again: boolean
}

export interface HandlerContext {
  /** Aborts when the command is replaced, when it runs too long, when the agent is fenced or closed. */
  readonly signal: AbortSignal
}

export type CommandHandler<Value, Reply> = (
  command: ReceivedCommand<Value>,
  context: HandlerContext,
) => Promise<Reply> | Reply

export interface CommandReceiverOptions {
  readonly bus: Bus
  readonly clock: Clock
  readonly random: Random
  readonly identity: AgentIdentity
  readonly nodeTime: NodeTime
  readonly lease: Lease
  readonly inbox: InboxStore
  /** Commands running beside each other with `overlap: 'parallel'`. Default 16. */
  readonly parallelMax?: number
  /** Commands read and not yet claimed; beyond it they wait at the node. Default 1,000. */
  readonly pendingMax?: number
  /** How long a handler may go on after its abort before the next one starts. Default 5,000. */
  readonly abortGraceMs?: number
  /** What cannot be told to any caller: an inbox that fails, a reader that is gone. */
  readonly onError?: (error: unknown) => void
}

export interface CommandReceiver {
  /**
   * Starts receiving this command; the first call starts the receiver after the current turn, so that handlers
   * registered together are all known before the first command arrives. Returns the way to stop.
   */
  handle<Value, Reply>(command: CommandDefinition<Value, Reply>, handler: CommandHandler<Value, Reply>): () => void
  /** Claims nothing more and waits for running handlers and their reports. Idempotent. */
  drain(): Promise<void>
  /** Aborts running handlers: their outcomes are `failed: closed`. Idempotent. */
  close(): Promise<void>
}

export function commandReceiver(_options: CommandReceiverOptions): CommandReceiver {
  throw new UnsupportedError('commands', 'the receiver is not built yet')
}
