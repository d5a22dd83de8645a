import type { Bus, RequestedDurability } from '../../bus/index.ts'
import { type Clock, type Random, UnsupportedError } from '../../core/index.ts'
import type { AgentSelector, NodeTime, Roster } from '../ports.ts'
import type { CommandDefinition } from './definition.ts'
import type { Outcome } from './outcome.ts'

/** One agent, several, or whoever the roster has under the selector when it is sent. */
export type CommandTarget = string | readonly string[] | AgentSelector

export interface SendOptions {
  /** Any unique string. Default: a UUIDv7. The same id again asks for the same outcome; with another body it is refused. */
  readonly intentId?: string
  /** How long to wait for an outcome before saying `unknown`. Default: the command's own deadlines plus 2,000. */
  readonly timeoutMs?: number
  /** Aborting stops the waiting and the resending; what was sent stays sent. */
  readonly signal?: AbortSignal
}

export interface CommandSenderOptions {
  readonly bus: Bus
  readonly clock: Clock
  readonly random: Random
  readonly roster: Roster
  readonly nodeTime: NodeTime
  /** One subject level, unique among the fabrics alive: the outcomes for it are filtered by this name. */
  readonly sender: string
  readonly principal?: string
  /** What receipts of command topics must have. Default: each topic's. */
  readonly durability?: RequestedDurability
}

export interface CommandSender {
  /** Rejects with `unknown-agent`, `schema-mismatch`, `intent-reused` before anything is written. */
  send<Value, Reply>(
    command: CommandDefinition<Value, Reply>,
    target: string,
    value: Value,
    options?: SendOptions,
  ): Promise<Outcome<Reply>>
  /** One outcome per agent, sorted by agent id. A selector that matches nobody gives an empty list. */
  send<Value, Reply>(
    command: CommandDefinition<Value, Reply>,
    target: readonly string[] | AgentSelector,
    value: Value,
    options?: SendOptions,
  ): Promise<ReadonlyArray<Outcome<Reply>>>
  /** What is known of a command by now; `unknown` when nothing is. Rejects with `no-responder` without a node. */
  outcome(
    intentId: string,
    options?: { readonly agentId?: string; readonly timeoutMs?: number; readonly signal?: AbortSignal },
  ): Promise<ReadonlyArray<Outcome<unknown>>>
  /** Waits for the outcomes of what was sent. */
  drain(): Promise<void>
  /** What waits resolves to `unknown`. */
  close(): Promise<void>
}

export async function openCommandSender(_options: CommandSenderOptions): Promise<CommandSender> {
  throw new UnsupportedError('commands', 'the sender is not built yet')
}
