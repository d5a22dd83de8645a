import type { Delivery, Headers, Message } from '../../bus/index.ts'
import { HOPS_HEADER, movedHeaders, TTL_HEADER } from '../moved-headers.ts'

/** Which bridge moved a message, and from where: `name@broker partition.sequence.time`, the numbers in base 36. */
const BRIDGE_HEADER = 'skeinbridge'
/** More are taken for a loop that no name gives away. */
const HOPS_MAX = 16

/** What tells a message of the source from every other, whatever becomes of its topic: its place and the time of its append. */
export function originToken({ position, appendedAtMs }: Delivery): string {
  return `${position.partition}.${position.sequence.toString(36)}.${appendedAtMs.toString(36)}`
}

/** The origin of a message in the target, when this bridge moved it. */
export function movedToken(headers: Headers, bridge: string): string | undefined {
  const text = headers[BRIDGE_HEADER]
  if (text === undefined || !text.startsWith(bridge) || text[bridge.length] !== ' ') return undefined
  return text.slice(bridge.length + 1)
}

export interface BridgedBy {
  /** `name@broker` */
  readonly bridge: string
  /** `broker/topic` */
  readonly source: string
  readonly target: string
  readonly sourceTopic: string
  readonly targetTopic: string
}

/** The message as it goes to the target, or undefined for one that has been there before. */
export function bridgedMessage(
  delivery: Delivery,
  by: BridgedBy,
  at: { readonly token: string; readonly nowMs: number },
): Message | undefined {
  const all = delivery.headers
  const hops = all[HOPS_HEADER]
  if (hops !== undefined && isLoop(hops, by.target)) return undefined
  const headers = movedHeaders(all, by.source)
  const ttlMs = all[TTL_HEADER] === undefined ? undefined : Number(all[TTL_HEADER])
  headers[BRIDGE_HEADER] = `${by.bridge} ${at.token}`
  const { key, id, timestampMs, appendedAtMs, value, subject } = delivery
  return {
    subject: by.sourceTopic === by.targetTopic ? subject : by.targetTopic + subject.slice(by.sourceTopic.length),
    key,
    value,
    headers,
    id: id ?? `${by.bridge}.${at.token}`,
    timestampMs,
    ...(ttlMs !== undefined && { ttlMs: Math.max(1, ttlMs - Math.max(0, at.nowMs - appendedAtMs)) }),
  }
}

function isLoop(hops: string, target: string): boolean {
  const places = hops.split(' ')
  return places.includes(target) || places.length >= HOPS_MAX
}
