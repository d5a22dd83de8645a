import type { Channel } from 'amqplib'
import type { TopicSettings } from '../../kit/index.ts'

/** A stream keeps whole segments: an eighth of what is to be kept lets old messages go smoothly. */
const SEGMENTS = 8
const SEGMENT_BYTES_MIN = 4_096
/** The broker's own default. */
const SEGMENT_BYTES_MAX = 500_000_000

export interface StreamShape {
  readonly members: number
  readonly retention: TopicSettings['retention']
}

export async function declareStream(channel: Channel, name: string, shape: StreamShape): Promise<void> {
  await channel.assertQueue(name, { durable: true, arguments: streamArguments(shape) })
}

function streamArguments({ members, retention }: StreamShape): Record<string, unknown> {
  const { ageMs, bytes } = retention
  return {
    'x-queue-type': 'stream',
    'x-initial-cluster-size': members,
    // In whole seconds, the finest unit there is.
    ...(ageMs !== undefined && { 'x-max-age': `${Math.max(1, Math.ceil(ageMs / 1_000))}s` }),
    ...(bytes !== undefined && {
      'x-max-length-bytes': bytes,
      'x-stream-max-segment-size-bytes': Math.min(
        SEGMENT_BYTES_MAX,
        Math.max(SEGMENT_BYTES_MIN, Math.floor(bytes / SEGMENTS)),
      ),
    }),
  }
}

/**
 * A quorum queue that gives to one consumer at a time, the next one when that goes. It neither drops nor buries what comes
 * back often: since 4.0 that would be the default, and attempts are counted by Skein.
 */
export async function declareQuorumQueue(
  channel: Channel,
  name: string,
  shape: { readonly members: number; readonly hasDeliveryLimit: boolean; readonly more?: Record<string, unknown> },
): Promise<void> {
  await channel.assertQueue(name, {
    durable: true,
    arguments: {
      'x-queue-type': 'quorum',
      'x-quorum-initial-group-size': shape.members,
      'x-single-active-consumer': true,
      ...(shape.hasDeliveryLimit && { 'x-delivery-limit': -1 }),
      ...shape.more,
    },
  })
}
