import type { KeysOf } from '../core/index.ts'
import type { Codec, SchemaSource, ValueOf } from '../schema/index.ts'
import {
  CHANNEL_KEYS,
  type Channel,
  type ChannelOptions,
  checkDeclaration,
  checkDurationMs,
  declareChannel,
} from './channel.ts'
import { namedCodec } from './named-codec.ts'

const QUERY_TIMEOUT_DEFAULT_MS = 5_000

export interface QueryChannel<T, R> extends Channel<'query', T> {
  readonly reply: Codec<R>
  readonly timeoutMs: number
}

export interface QueryOptions<S extends SchemaSource, R extends SchemaSource> extends ChannelOptions<S> {
  readonly reply: R
  /** Default 5,000. */
  readonly timeoutMs?: number
}

const KEYS: KeysOf<QueryOptions<SchemaSource, SchemaSource>> = { ...CHANNEL_KEYS, reply: true, timeoutMs: true }

/** Declares a question: at most once, answered by one of those who answer its subject, within a deadline. */
export function query<const P extends string, const S extends SchemaSource, const R extends SchemaSource>(
  pattern: P,
  options: QueryOptions<S, R>,
): QueryChannel<ValueOf<S>, ValueOf<R>> {
  checkDeclaration(pattern, options, KEYS)
  const timeoutMs = options.timeoutMs ?? QUERY_TIMEOUT_DEFAULT_MS
  checkDurationMs(pattern, 'timeoutMs', timeoutMs)
  const channel = declareChannel<'query', ValueOf<S>>({
    intent: 'query',
    pattern,
    schema: options.schema,
    type: options.type,
    key: undefined,
    topic: {},
  })
  return { ...channel, reply: namedCodec(options.reply, { channel: pattern, what: 'reply' }), timeoutMs }
}
