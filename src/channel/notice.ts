import type { SchemaSource, ValueOf } from '../schema/index.ts'
import { CHANNEL_KEYS, type Channel, type ChannelOptions, checkDeclaration, declareChannel } from './channel.ts'

export type NoticeChannel<T> = Channel<'notice', T>

/** Declares a hint to whoever listens now: at most once, fanned out, never stored, never blocking. */
export function notice<const P extends string, const S extends SchemaSource>(
  pattern: P,
  options: ChannelOptions<S>,
): NoticeChannel<ValueOf<S>> {
  checkDeclaration(pattern, options, CHANNEL_KEYS)
  return declareChannel<'notice', ValueOf<S>>({
    intent: 'notice',
    pattern,
    schema: options.schema,
    type: options.type,
    key: undefined,
    topic: {},
  })
}
