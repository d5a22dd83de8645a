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
import { refuseUnknownCommands } from './unknown-command.ts'

/** All of `skein`'s commands. Mistakes in the arguments are thrown as `CommanderError`, already told to the user. */
export function buildProgram(context: CommandContext): Command {
  const program = new Command('skein')
    .description('The coordination fabric for swarms of unlike agents')
    .version(VERSION)
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
  settle(program)
  return program
}

/** Commands made apart do not inherit the settings of the program they are added to. */
function settle(command: Command): void {
  if (command.commands.length > 0) refuseUnknownCommands(command)
  command.exitOverride().showHelpAfterError('(add --help for what is possible)')
  for (const child of command.commands) settle(child)
}
