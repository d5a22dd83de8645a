import type { TopicSpec } from '../bus/index.ts'
import { type AnyChannel, topicsOf } from '../channel/index.ts'
import { SkeinError } from '../core/index.ts'

/** The declared channels of a swarm by their names, shared by every service and agent. */
export interface Contract<Channels extends ChannelsByName = ChannelsByName> {
  readonly channels: Channels
  /** The topics that the channels need: those of one topic merged. */
  readonly topics: readonly TopicSpec[]
}

export type ChannelsByName = Readonly<Record<string, AnyChannel>>

/**
 * Binds declarations together: `contract({ Position, MoveTo })`, or a whole module, whose other exports are passed
 * over: `contract(await import('./swarm.ts'))`. Throws `bad-argument` where two channels contradict each other.
 */
export function contract<Exports extends Readonly<Record<string, unknown>>>(
  declarations: Exports,
): Contract<ChannelsOf<Exports>> {
  const entries = Object.entries(declarations).filter((entry): entry is [string, AnyChannel] => isChannel(entry[1]))
  if (entries.length === 0) {
    throw new SkeinError(
      'bad-argument',
      'Cannot make a contract: there is no channel in it; declare one, as with telemetry()',
    )
  }
  const channels = Object.fromEntries(entries) as ChannelsOf<Exports>
  return { channels, topics: topicsOf(Object.values(channels)) }
}

/** Those of a module's exports that are channels. */
export type ChannelsOf<Exports> = {
  readonly [Name in keyof Exports as Exports[Name] extends AnyChannel ? Name : never]: Extract<
    Exports[Name],
    AnyChannel
  >
}

function isChannel(value: unknown): value is AnyChannel {
  if (typeof value !== 'object' || value === null) return false
  return 'intent' in value && 'subject' in value && 'value' in value && 'topicSpec' in value
}
