import { isDeepStrictEqual } from 'node:util'
import type { Intent, TopicSpec } from '../bus/index.ts'
import { SkeinError } from '../core/index.ts'
import type { Channel } from './channel.ts'

/** A channel of any intent and type. */
// biome-ignore lint/suspicious/noExplicitAny: a codec both takes and gives its type, so only `any` holds them all.
export type AnyChannel = Channel<Intent, any>

/**
 * The topics that these channels need. Channels that share one contribute their settings; a setting on which two
 * disagree throws `bad-argument` naming both, and so do two channels of one topic with the same type.
 */
export function topicsOf(channels: Iterable<AnyChannel>): readonly TopicSpec[] {
  const groups = Map.groupBy(channels, (channel) => channel.topic)
  return [...groups.values()].map((sharers) => mergeTopic(sharers))
}

function mergeTopic(sharers: readonly AnyChannel[]): TopicSpec {
  const merged = new Map<string, { readonly value: unknown; readonly from: AnyChannel }>()
  const types = new Map<string, AnyChannel>()
  for (const channel of new Set(sharers)) {
    const twin = types.get(channel.type)
    if (twin !== undefined)
      throw conflict(twin, channel, `both are of type "${channel.type}": give one its own \`type\``)
    types.set(channel.type, channel)
    for (const [name, value] of Object.entries(channel.topicSpec)) {
      const earlier = merged.get(name)
      if (earlier === undefined) merged.set(name, { value, from: channel })
      else if (!isDeepStrictEqual(earlier.value, value)) {
        throw conflict(
          earlier.from,
          channel,
          `${name} is ${show(earlier.value)} in one and ${show(value)} in the other`,
        )
      }
    }
  }
  return Object.fromEntries([...merged].map(([name, { value }]) => [name, value])) as unknown as TopicSpec
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? String(value)
}

function conflict(left: AnyChannel, right: AnyChannel, why: string): SkeinError {
  const [one, other] = [left.subject.pattern, right.subject.pattern]
  return new SkeinError('bad-argument', `Cannot put "${one}" and "${other}" on the topic "${left.topic}": ${why}`, {
    details: { channels: [one, other], topic: left.topic },
  })
}
