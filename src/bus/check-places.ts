import { SkeinError } from '../core/index.ts'
import type { TopicDescription } from './bus.ts'
import type { Position } from './message.ts'

/**
 * For places that somebody typed or kept: throws `bad-argument` for a partition that the topic does not have, or that is
 * named twice, and `position-gone` for a place behind the end: the topic was made anew, or a power loss took what was there.
 */
export function checkPlaces(places: readonly Position[], topic: TopicDescription): void {
  const seen = new Set<number>()
  for (const place of places) {
    checkPlace(place, topic)
    if (seen.has(place.partition)) {
      throw new SkeinError(
        'bad-argument',
        `Cannot read "${topic.spec.name}": partition ${place.partition} is named twice`,
      )
    }
    seen.add(place.partition)
  }
}

function checkPlace(
  { partition, sequence }: Position,
  { spec: { name, storage }, partitions }: TopicDescription,
): void {
  const known = partitions.find(({ end }) => end.partition === partition)
  if (known === undefined) {
    const last = partitions.length - 1
    const valid = last === 0 ? 'its only partition is 0' : `its partitions are 0 to ${last}`
    throw new SkeinError('bad-argument', `Cannot read "${name}" from ${partition}:${sequence}: ${valid}`, {
      details: { topic: name, partition, partitionMax: last },
    })
  }
  // Where nothing is stored, places are of one life of the node: reading goes on with what comes next.
  if (storage === 'ephemeral' || sequence <= known.end.sequence) return
  throw new SkeinError(
    'position-gone',
    `Cannot read "${name}" from ${partition}:${sequence}: that partition ends at ${known.end.sequence}; ` +
      'start at latest, earliest or a time',
    { details: { topic: name, partition, sequence, endSequence: known.end.sequence } },
  )
}
