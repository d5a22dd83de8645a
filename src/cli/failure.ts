import { SkeinError } from '../core/index.ts'
import type { Terminal } from './terminal.ts'

/**
 * Says what went wrong: one line for people on standard error, with `json` one object for programs on standard output,
 * where they look for the result; the stack only when asked for.
 */
export function reportFailure(error: unknown, terminal: Terminal, how: { json: boolean; verbose: boolean }): void {
  const failure = error instanceof Error ? error : new Error(String(error))
  const code = failure instanceof SkeinError ? ` (${failure.code})` : ''
  terminal.note(`skein: ${failure.message}${code}`)
  if (how.json) printFailure(failure, terminal)
  if (how.verbose) terminal.note(chain(failure))
}

/** The object for programs alone, of a failure that people were told already. */
export function printFailure(failure: Error, terminal: Terminal): void {
  const { code, retryable, details } =
    failure instanceof SkeinError ? failure : { code: 'internal', retryable: false, details: {} }
  terminal.line(JSON.stringify({ error: { code, message: failure.message, retryable, details } }))
}

function chain(failure: Error): string {
  const stacks: string[] = []
  for (let current: unknown = failure; current instanceof Error; current = current.cause) {
    stacks.push(current.stack ?? current.message)
  }
  return stacks.join('\ncaused by: ')
}
