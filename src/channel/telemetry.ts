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

export interface TelemetryChannel<T> extends Channel<'telemetry', T> {
  readonly conflate: boolean
}

export interface TelemetryOptions<P extends string, S extends SchemaSource> extends ChannelOptions<S>, StoredOptions {
  /** What orders messages. Default: the subject. */
  readonly key?: KeyField<P, ValueOf<S>>
  /**
   * While a batch waits, a newer value of a key replaces the older one, which is then reported as conflated and never
   * as stored. Default false.
   */
  readonly conflate?: boolean
  /** After this long from the append no reader is given a message any more. */
  readonly ttlMs?: number
}

const KEYS: KeysOf<TelemetryOptions<string, SchemaSource>> = {
  ...CHANNEL_KEYS,
  ...STORED_KEYS,
  key: true,
  conflate: true,
  ttlMs: true,
}

/** Declares measurements: at least once, batched, in order per key, replayable. */
export function telemetry<const P extends string, const S extends SchemaSource>(
  pattern: P,
  options: TelemetryOptions<P, S>,
): TelemetryChannel<ValueOf<S>> {
  checkDeclaration(pattern, options, KEYS)
  const channel = declareChannel<'telemetry', ValueOf<S>>({
    intent: 'telemetry',
    pattern,
    schema: options.schema,
    type: options.type,
    key: options.key,
    largePayloads: options.largePayloads,
    topic: { ...storedTopic(options), ...(options.ttlMs === undefined ? {} : { ttlMs: options.ttlMs }) },
  })
  return { ...channel, conflate: options.conflate ?? false }
}
