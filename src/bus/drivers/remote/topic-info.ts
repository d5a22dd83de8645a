import { type Lane, laneOfIntent } from '../../../wire/index.ts'
import type { Capabilities, TopicSpec } from '../../index.ts'

/** What a client has to know of a topic to write to it. */
export interface TopicInfo {
  readonly name: string
  readonly partitions: number
  readonly messageBytesMax: number
  readonly capabilities: Capabilities
  readonly lane: Lane
  /** Nothing is stored: what may have been handed on is not sent again. */
  readonly isEphemeral: boolean
  readonly ttlMs: number | undefined
}

export function topicInfo(spec: TopicSpec, capabilities: Capabilities): TopicInfo {
  const passes = spec.intent === 'notice' || spec.intent === 'query'
  return {
    name: spec.name,
    partitions: capabilities.partitions,
    messageBytesMax: capabilities.messageBytesMax,
    capabilities,
    lane: laneOfIntent(spec.intent),
    isEphemeral: (spec.storage ?? (passes ? 'ephemeral' : 'log')) === 'ephemeral',
    ttlMs: spec.ttlMs,
  }
}
