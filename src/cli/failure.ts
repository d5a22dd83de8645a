import { SkeinError } from '../core/index.ts'
import type { Terminal } from './terminal.ts'

/** Says on standard error what went wrong: one line for people, or one JSON object; the stack only when asked for. */
export function reportFailure(error: unknown, terminal: Terminal, how: { json: boolean; verbose: boolean }): void {
  const failure = error instanceof Error ? error : new Error(String(error))
  if (how.json) {
    const { code, retryable, details } =
      failure instanceof SkeinError ? failure : { code: 'internal', retryable: false, details: {} }
    terminal.note(JSON.stringify({ error: { code, message: failure.message, retryable, details } }))
  } else {
    const code = failure instanceof SkeinError ? ` (${failure.code})` : ''
    terminal.note(`skein: ${failure.message}${code}`)
  }
  if (how.verbose) terminal.note(chain(failure))
}

function chain(failure: Error): string {
  const stacks: string[] = []
  for (let current: unknown = failure; current instanceof Error; current = current.cause) {
    stacks.push(current.stack ?? current.message)
  }
  return stacks.join('\ncaused by: ')
}
