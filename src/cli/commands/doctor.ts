import type { Command } from 'commander'
import { type ClientOptions, newClientCommand } from '../client.ts'
import type { CommandContext } from '../context.ts'
import type { Finding } from '../doctor/finding.ts'
import { inspectData } from '../doctor/inspect-data.ts'
import { inspectMachine } from '../doctor/inspect-machine.ts'
import { inspectNode } from '../doctor/inspect-node.ts'
import { EXIT } from '../exit-codes.ts'
import { table } from '../terminal.ts'

interface DoctorOptions extends ClientOptions {
  readonly data?: string
}

export function doctorCommand(context: CommandContext): Command {
  return newClientCommand('doctor', 'check a running node, or a data directory that no node is using', [
    'skein doctor',
    'skein doctor --url skein://127.0.0.1:7600 --json',
    'skein doctor --data ./data   # opens it as a node would: recovery may cut what was torn',
  ])
    .option('--data <dir>', 'check this data directory instead of a node')
    .addHelpText('after', '\nExits with 1 when something is broken.')
    .action((options: DoctorOptions) => doctor(options, context))
}

async function doctor(options: DoctorOptions, context: CommandContext): Promise<void> {
  const findings = [
    ...inspectMachine(),
    ...(options.data === undefined ? await inspectNode(options, context) : await inspectData(options.data, context)),
  ]
  if (findings.some(({ state }) => state === 'broken')) context.exitCode = EXIT.failed
  await tell(findings, options, context)
}

async function tell(findings: readonly Finding[], options: DoctorOptions, { terminal }: CommandContext): Promise<void> {
  if (options.json) {
    const healthy = findings.every(({ state }) => state !== 'broken')
    await terminal.line(JSON.stringify({ healthy, findings }))
    return
  }
  await terminal.line(table(findings.map(({ what, state, detail }) => [state, what, detail])))
}
