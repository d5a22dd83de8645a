import { Command } from 'commander'
import { VERSION } from '../core/index.ts'
import { agentsCommand } from './commands/agents.ts'
import { dlqCommand } from './commands/dlq.ts'
import { doctorCommand } from './commands/doctor.ts'
import { lagCommand } from './commands/lag.ts'
import { pubCommand } from './commands/pub.ts'
import { replayCommand } from './commands/replay.ts'
import { sendCommand } from './commands/send.ts'
import { subCommand } from './commands/sub.ts'
import { topicsCommand } from './commands/topics.ts'
import { upCommand } from './commands/up.ts'
import type { CommandContext } from './context.ts'

/** All of `skein`'s commands. Mistakes in the arguments are thrown as `CommanderError`, already told to the user. */
export function buildProgram(context: CommandContext): Command {
  const program = new Command('skein')
    .description('The coordination fabric for swarms of unlike agents')
    .version(VERSION)
    .showHelpAfterError('(add --help for what is possible)')
    .addHelpText('after', '\nExit codes and more: docs/reference/cli.md')
  const commands = [
    upCommand,
    pubCommand,
    subCommand,
    replayCommand,
    sendCommand,
    agentsCommand,
    topicsCommand,
    lagCommand,
    dlqCommand,
    doctorCommand,
  ]
  for (const make of commands) program.addCommand(make(context))
  throwInsteadOfExit(program)
  return program
}

/** Commands made apart do not inherit the settings of the program they are added to. */
function throwInsteadOfExit(command: Command): void {
  command.exitOverride()
  for (const child of command.commands) throwInsteadOfExit(child)
}
