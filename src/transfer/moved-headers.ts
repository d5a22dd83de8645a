import type { Headers } from '../bus/index.ts'

/** The topics a message came through, `broker/topic` each, separated by spaces. */
export const HOPS_HEADER = 'skeinhops'
/** How long readers are given a message, counted by its topic from its own append. */
export const TTL_HEADER = 'skeinttl'
/** Names a group of the topic it was in. */
const REPLAY_HEADER = 'skeinreplay'

/** A message's headers in another topic: without what was for its own, and with `place`, `broker/topic`, among its hops. */
export function movedHeaders(all: Headers, place: string): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const name in all) if (name !== TTL_HEADER && name !== REPLAY_HEADER) headers[name] = all[name]!
  const hops = all[HOPS_HEADER]
  headers[HOPS_HEADER] = hops === undefined ? place : `${hops} ${place}`
  return headers
}

/** Whether a message had been in a topic, `broker/topic`, before it came to this one. */
export function cameThrough(headers: Headers, place: string): boolean {
  return headers[HOPS_HEADER]?.split(' ').includes(place) ?? false
}
