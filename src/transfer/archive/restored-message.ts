import type { Headers, Message } from '../../bus/index.ts'
import { movedHeaders } from '../moved-headers.ts'
import type { ArchivedRow } from './archived-row.ts'

/** Which archive a message was restored from, by which selection, and its number in the archive, in base 36. */
const RESTORED_HEADER = 'skeinrestored'

export interface RestoredBy {
  /** The archive's identity. */
  readonly archive: string
  /** What of the archive is restored: another selection is another restore. */
  readonly selection: string
  /** `broker/topic` */
  readonly source: string
  readonly sourceTopic: string
  readonly targetTopic: string
  /** Messages without an id are given one: what a dying process still has on its way is not stored beside its repeat. */
  readonly givesIds: boolean
}

/** What a restore of this archive wrote into a message, or undefined. */
export function restoredToken(
  headers: Headers,
  archive: string,
): { readonly selection: string; readonly ordinal: number } | undefined {
  const text = headers[RESTORED_HEADER]
  if (text === undefined) return undefined
  const [from, selection = '', ordinal = ''] = text.split(' ')
  return from === archive ? { selection, ordinal: Number.parseInt(ordinal, 36) } : undefined
}

/** The message as it goes to the target. With `nowMs` it has what is left of its time to live, without it does not expire. */
export function restoredMessage(
  row: ArchivedRow,
  by: RestoredBy,
  { ordinal, nowMs }: { readonly ordinal: number; readonly nowMs: number | undefined },
): Message {
  const { subject, key, value, id, timestampMs, expiresAtMs } = row
  const token = `${by.selection} ${ordinal.toString(36)}`
  const headers = movedHeaders(row.headers ?? {}, by.source)
  headers[RESTORED_HEADER] = `${by.archive} ${token}`
  return {
    subject: by.sourceTopic === by.targetTopic ? subject : by.targetTopic + subject.slice(by.sourceTopic.length),
    key,
    value,
    headers,
    id: id ?? (by.givesIds ? `${by.archive}.${ordinal.toString(36)}` : undefined),
    timestampMs,
    ...(expiresAtMs !== undefined && nowMs !== undefined && { ttlMs: Math.max(1, expiresAtMs - nowMs) }),
  }
}
