import type { RequestedDurability, TopicSpec } from '../bus/index.ts'
import { SwarmEvents } from './swarm-event.ts'

/** Compacted, one partition for ever, key = agent id: a record's position in it is an epoch. */
export const ROSTER_TOPIC = 'skein.roster'
/** What happened to agents, as events. */
export const SWARM_TOPIC = SwarmEvents.topic
/** Ephemeral: who was heard, one aggregate per node and second. */
export const PULSES_TOPIC = 'skein.pulses'

export const JOIN_REQUEST = 'skein.swarm.join'
export const PULSE_REQUEST = 'skein.swarm.pulse'
export const LEAVE_REQUEST = 'skein.swarm.leave'
export const CHANGE_REQUEST = 'skein.swarm.change'
export const TIME_REQUEST = 'skein.swarm.time'
export const HEARD_REQUEST = 'skein.swarm.heard'

/** The swarm's own topics. `durability` holds for the roster and the events; pulses are never stored. */
export function swarmTopics(durability: RequestedDurability): readonly TopicSpec[] {
  return [
    { name: ROSTER_TOPIC, intent: 'event', partitions: 1, durability, compaction: {}, deduplicationWindowMs: 0 },
    { ...SwarmEvents.topicSpec, partitions: 1, durability },
    { name: PULSES_TOPIC, intent: 'notice', partitions: 1, durability: 'none', storage: 'ephemeral' },
  ]
}
