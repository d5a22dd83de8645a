import { type Lane, laneOfIntent } from '../../../wire/index.ts'
import type { Capabilities, TopicSpec } from '../../index.ts'

/** What a client has to know of a topic to write to it. */
export interface TopicInfo {
  readonly name: string
  readonly partitions: number
  readonly messageBytesMax: number
  readonly capabilities: Capabilities
  readonly lane: Lane
}

export function topicInfo(spec: TopicSpec, capabilities: Capabilities): TopicInfo {
  return {
    name: spec.name,
    partitions: capabilities.partitions,
    messageBytesMax: capabilities.messageBytesMax,
    capabilities,
    lane: laneOfIntent(spec.intent),
  }
}
