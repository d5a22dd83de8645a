import { SkeinError } from './errors.ts'

/** Throws `bad-argument` for a time limit that is none; without one the default holds. `action` completes "Cannot …". */
export function checkTimeoutMs(action: string, timeoutMs: unknown): void {
  if (timeoutMs === undefined || (typeof timeoutMs === 'number' && timeoutMs >= 0)) return
  const message = `Cannot ${action}: timeoutMs is ${String(timeoutMs)}, it must be a number of milliseconds from 0 on`
  throw new SkeinError('bad-argument', message, { details: { key: 'timeoutMs' } })
}
