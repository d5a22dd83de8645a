import type { KeysOf } from '../core/index.ts'
import type { Codec, SchemaSource, ValueOf } from '../schema/index.ts'
import {
  badDeclaration,
  CHANNEL_KEYS,
  type Channel,
  type ChannelOptions,
  checkDeclaration,
  checkDurationMs,
  checkWord,
  declareChannel,
  STORED_KEYS,
  type StoredOptions,
  storedTopic,
} from './channel.ts'
import type { CommandDefinition, Overlap } from './command/definition.ts'
import { namedCodec } from './named-codec.ts'

/** A declared command: what the sender and the receiver need of it is its `CommandDefinition`. */
export interface CommandChannel<T, R> extends Channel<'command', T>, CommandDefinition<T, R> {
  readonly value: Codec<T>
  /** Undefined: the outcome carries no value. */
  readonly reply: Codec<R> | undefined
}

export interface CommandOptions<S extends SchemaSource, R extends SchemaSource>
  extends ChannelOptions<S>,
    Omit<StoredOptions, 'largePayloads'> {
  /** What the handler returns. Default: nothing. */
  readonly reply?: R
  /** From `send()` to the agent's claim. Later the command is `expired` and never runs. */
  readonly startWithinMs: number
  /** From the claim to the handler's return. Then the handler's signal is aborted and the command has failed. Default: no limit. */
  readonly completeWithinMs?: number
  readonly overlap: Overlap
  /** Run it again after a crash in mid-handler, instead of saying `unknown`. Default false. */
  readonly idempotent?: boolean
}

const OVERLAPS: readonly Overlap[] = ['queue', 'replace', 'parallel']

const { largePayloads: _, ...STORED } = STORED_KEYS
const KEYS: KeysOf<CommandOptions<SchemaSource, SchemaSource>> = {
  ...CHANNEL_KEYS,
  ...STORED,
  reply: true,
  startWithinMs: true,
  completeWithinMs: true,
  overlap: true,
  idempotent: true,
}

/** Declares an order to one agent: it takes effect once per intent id and agent, in time, or its outcome says what is not known. */
export function command<const P extends string, const S extends SchemaSource, const R extends SchemaSource = never>(
  pattern: P,
  options: CommandOptions<S, R>,
): CommandChannel<ValueOf<S>, [R] extends [never] ? undefined : ValueOf<R>> {
  checkDeclaration(pattern, options, KEYS)
  if (!pattern.split('.').includes('{agentId}')) {
    throw badDeclaration(pattern, 'a command goes to one agent, so {agentId} must be a level of its pattern')
  }
  checkDurationMs(pattern, 'startWithinMs', options.startWithinMs)
  if (options.completeWithinMs !== undefined) checkDurationMs(pattern, 'completeWithinMs', options.completeWithinMs)
  checkWord(pattern, 'overlap', { word: options.overlap, words: OVERLAPS })
  const channel = declareChannel<'command', ValueOf<S>>({
    intent: 'command',
    pattern,
    schema: options.schema,
    type: options.type,
    key: 'agentId',
    // Without a durability there is nothing to store: live connections only, the fastest way.
    topic: { ...storedTopic(options), ...(options.durability === 'none' ? { storage: 'ephemeral' } : {}) },
  })
  type Reply = [R] extends [never] ? undefined : ValueOf<R>
  return {
    ...channel,
    reply:
      options.reply === undefined
        ? undefined
        : (namedCodec(options.reply, { channel: pattern, what: 'reply' }) as Codec<Reply>),
    startWithinMs: options.startWithinMs,
    completeWithinMs: options.completeWithinMs,
    overlap: options.overlap,
    idempotent: options.idempotent ?? false,
    durability: options.durability,
  }
}
