import { Command } from 'commander'
import { nearest } from '../core/index.ts'

/**
 * A group of commands says which one was most likely meant, or which it has, when it is given one that it does not know;
 * its `help` does the same.
 */
export function refuseUnknownCommands(group: Command): void {
  group.on('command:*', ([name]: [string]) => unknownCommand(group, name))
  group.helpCommand(false)
  group.addCommand(
    new Command('help')
      .description('help for a command')
      .argument('[command]', 'the command; without one, all of them')
      .action((name: string | undefined) => {
        if (name === undefined) return group.outputHelp()
        const found = group.commands.find((command) => command.name() === name)
        if (found === undefined) unknownCommand(group, name)
        else found.outputHelp()
      }),
  )
}

/** Ends the command as any wrong usage does. */
export function unknownCommand(group: Command, name: string): never {
  const names = group.commands.map((command) => command.name())
  const near = nearest(name, names)
  const hint = near === undefined ? `there are ${names.join(', ')}` : `Did you mean ${near}?`
  group.error(`error: unknown command '${name}'\n(${hint})`, { code: 'commander.unknownCommand', exitCode: 2 })
}
