import type { Verdict } from './handler-run.ts'

// What a receiver itself decides about a command.

export const REUSED: Verdict = {
  state: 'rejected',
  reason: 'intent-reused',
  message: 'The same intent id was used before with another body; use a new id for a new command',
}
export const REPLACED: Verdict = { state: 'failed', reason: 'replaced', message: 'A later command took its place' }
export const LATE: Verdict = {
  state: 'expired',
  reason: 'deadline',
  message: 'Its deadline passed while it was claimed',
}
export const NOT_RUN: Verdict = { state: 'failed', reason: 'closed', message: 'The agent was closed before it ran' }

export const CLOSED: Verdict = { state: 'failed', reason: 'closed', message: 'The agent was closed while it ran' }
