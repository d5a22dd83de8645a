import { SkeinError } from '../../../core/index.ts'
import type { EncodedHeaders } from './message-codec.ts'
import type { ApiError } from './nats-error.ts'

/** One message on its way into a stream. */
export interface OutgoingMessage {
  readonly subject: string
  readonly headers: EncodedHeaders
  readonly payload: Uint8Array
  /** The user's own id, where the topic deduplicates by it. */
  readonly userId: string | undefined
}

/** What became of one message. `sequence`: of the stream, from 1. */
export type Fate =
  | { readonly state: 'stored'; readonly sequence: number; readonly duplicate: boolean }
  | { readonly state: 'refused'; readonly error: ApiError }

/** A PubAck as the server writes it. */
export interface PubAck {
  readonly stream?: string
  readonly seq?: number
  readonly duplicate?: boolean
  readonly error?: ApiError
}

/** The server says so for a stream that has no leader at the moment: nothing was stored. */
export const NO_LEADER: ApiError = { code: 503, description: 'no server leads the stream now' }

export function isTransient(error: ApiError): boolean {
  return error.code === 503
}

export function outcomeUnknown(count: number): SkeinError {
  return new SkeinError('timeout', `No answer in time for ${count} messages`, { retryable: false })
}
