import { type ErrorCode, errorText, SkeinError, UnsupportedError } from '../core/index.ts'
import type { Head } from './message.ts'

/** How an error travels: code, text and facts, never a stack. */
export function failureToHead(error: unknown): Head {
  if (error instanceof SkeinError) {
    return { code: error.code, message: error.message, retryable: error.retryable, details: plain(error.details) }
  }
  return { code: 'io-failed', message: `The node failed: ${errorText(error)}` }
}

/** The error again on the other side. What the peer left out or got wrong is filled in: this never throws. */
export function failureFromHead(head: Head): SkeinError {
  const details = isRecord(head.details) ? head.details : {}
  const code = typeof head.code === 'string' ? (head.code as ErrorCode) : 'io-failed'
  const message = typeof head.message === 'string' ? head.message : `The peer failed with ${code}`
  if (code === 'unsupported' && typeof details.feature === 'string') {
    return new UnsupportedError(details.feature, String(details.reason))
  }
  return new SkeinError(code, message, { retryable: head.retryable === true, details })
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function plain(details: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(JSON.stringify(details)) as Record<string, unknown>
  } catch {
    // A detail that is no JSON (a bigint, a cycle) stays on this side; the message says the rest.
    return {}
  }
}
