import { Command } from 'commander'
import { misspeltVariable, SkeinError, VERSION } from '../core/index.ts'
import { agentsCommand } from './commands/agents.ts'
import { archiveCommand } from './commands/archive.ts'
import { bridgeCommand } from './commands/bridge.ts'
import { dlqCommand } from './commands/dlq.ts'
import { doctorCommand } from './commands/doctor.ts'
import { lagCommand } from './commands/lag.ts'
import { pubCommand } from './commands/pub.ts'
import { raftCommand } from './commands/raft.ts'
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
    bridgeCommand,
    archiveCommand,
    raftCommand,
    doctorCommand,
  ]
  for (const make of commands) program.addCommand(make(context))
  settle(program, context)
  return program
}

/** Those from which this command takes options; a node's settings are checked where they are read. */
function checkVariables(command: Command, environment: CommandContext['environment']): void {
  const known = command.options.flatMap(({ envVar }) => envVar ?? [])
  const misspelt = misspeltVariable(environment, known)
  if (misspelt === undefined) return
  const { name, nearest } = misspelt
  throw new SkeinError('bad-config', `Cannot use the variable ${name}: it is unknown; did you mean ${nearest}?`, {
    details: { key: name, nearest },
  })
}

/** Commands made apart do not inherit the settings of the program they are added to. */
function settle(command: Command, context: CommandContext): void {
  if (command.commands.length > 0) refuseUnknownCommands(command)
  else command.hook('preAction', () => checkVariables(command, context.environment))
  command.exitOverride().showHelpAfterError('(add --help for what is possible)')
  for (const child of command.commands) settle(child, context)
}
