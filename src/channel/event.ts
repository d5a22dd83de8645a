import type { KeysOf } from '../core/index.ts'
import type { SchemaSource, ValueOf } from '../schema/index.ts'
import {
  CHANNEL_KEYS,
  type Channel,
  type ChannelOptions,
  checkDeclaration,
  declareChannel,
  type KeyField,
  STORED_KEYS,
  type StoredOptions,
  storedTopic,
} from './channel.ts'

export type EventChannel<T> = Channel<'event', T>

export interface EventOptions<P extends string, S extends SchemaSource> extends ChannelOptions<S>, StoredOptions {
  /** What orders messages. Default: the subject. */
  readonly key?: KeyField<P, ValueOf<S>>
  /** How long an id is remembered so that a repeat is not stored again; 0 = not at all. Default 120,000. */
  readonly deduplicationWindowMs?: number
  /** Keep only the last message of each key. */
  readonly compaction?: { readonly tombstoneMs?: number }
  /**
   * `work`: kept until each group that is there has done it, on the broker that work is bound to (RabbitMQ first). What has only
   * logs keeps it in one. Default `log`.
   */
  readonly storage?: 'log' | 'work'
}

const KEYS: KeysOf<EventOptions<string, SchemaSource>> = {
  ...CHANNEL_KEYS,
  ...STORED_KEYS,
  key: true,
  deduplicationWindowMs: true,
  compaction: { tombstoneMs: true },
  storage: true,
}

/** Declares what happened: at least once, durable, deduplicated by id at the append, in order per key, foldable into views. */
export function event<const P extends string, const S extends SchemaSource>(
  pattern: P,
  options: EventOptions<P, S>,
): EventChannel<ValueOf<S>> {
  checkDeclaration(pattern, options, KEYS)
  const { deduplicationWindowMs, compaction, storage } = options
  return declareChannel<'event', ValueOf<S>>({
    intent: 'event',
    pattern,
    schema: options.schema,
    type: options.type,
    key: options.key,
    largePayloads: options.largePayloads,
    topic: {
      ...storedTopic(options),
      ...(deduplicationWindowMs === undefined ? {} : { deduplicationWindowMs }),
      ...(compaction === undefined ? {} : { compaction }),
      ...(storage === undefined ? {} : { storage }),
    },
  })
}
