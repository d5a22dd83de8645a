import { CommanderError } from 'commander'
import { SkeinError } from '../core/index.ts'
import { systemClock, systemRandom } from '../core/system/index.ts'
import type { CommandContext } from './context.ts'
import { EXIT, exitCodeOf } from './exit-codes.ts'
import { printFailure, reportFailure } from './failure.ts'
import { watchInterrupts } from './interrupts.ts'
import { buildProgram } from './program.ts'
import { processTerminal } from './terminal.ts'

/** The command `skein`: runs it and ends the process with its exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  const how = { json: false, verbose: false }
  const controller = new AbortController()
  watchInterrupts(controller)
  const terminal = processTerminal(() =>
    controller.abort(new SkeinError('aborted', 'The reader of the output has gone')),
  )
  // A mistake of ours: told like any other failure, but with its stack, for whoever reports it.
  process.on('uncaughtException', (error) => {
    reportFailure(error, terminal, { json: how.json, verbose: true })
    process.exit(exitCodeOf(error))
  })
  const context: CommandContext = {
    terminal,
    clock: systemClock,
    random: systemRandom,
    environment: process.env,
    signal: controller.signal,
    exitCode: EXIT.ok,
  }
  try {
    const program = buildProgram(context)
    program.hook('preAction', (_, command) => {
      Object.assign(how, command.opts())
    })
    await program.parseAsync(argv, { from: 'user' })
  } catch (error) {
    context.exitCode = failureCode(error)
    if (!(error instanceof CommanderError)) reportFailure(error, terminal, how)
    else if (context.exitCode !== EXIT.ok && wantsJson(argv)) printFailure(usageError(error), terminal)
  }
  await terminal.flush()
  process.exit(context.exitCode)
}

/** Asked of the arguments themselves: they could not be parsed. */
function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--')
  return argv.slice(0, end === -1 ? undefined : end).includes('--json')
}

function usageError(error: CommanderError): SkeinError {
  const message = error.message.replace(/^error: /, '').replaceAll('\n', ' ')
  return new SkeinError('bad-argument', `Cannot run this command: ${message}`, {
    cause: error,
    details: { usage: error.code },
  })
}

/** The parser of options has said what is wrong by itself; asking for help or the version is no failure. */
function failureCode(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
  return exitCodeOf(error)
}
