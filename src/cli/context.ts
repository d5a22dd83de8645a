import type { Clock, Random } from '../core/index.ts'
import type { Terminal } from './terminal.ts'

/** What every command is handed. */
export interface CommandContext {
  readonly terminal: Terminal
  readonly clock: Clock
  readonly random: Random
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Aborted by the first Ctrl-C or SIGTERM, and when nobody reads the result any more: finish, then return. */
  readonly signal: AbortSignal
  /** How the process ends when the command returns. Set it for results that are no errors and no success. */
  exitCode: number
}
