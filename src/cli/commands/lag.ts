import type { Command } from 'commander'
import { type Lag, lagEverywhere } from '../../bus/index.ts'
import { type ClientOptions, newClientCommand, withBus } from '../client.ts'
import type { CommandContext } from '../context.ts'
import { EXIT } from '../exit-codes.ts'
import { durationMs } from '../options.ts'
import { table } from '../terminal.ts'

interface LagOptions extends ClientOptions {
  readonly group?: string
  readonly failOver?: number
}

export function lagCommand(context: CommandContext): Command {
  return newClientCommand('lag', 'how far consumer groups are behind, in messages and seconds', [
    'skein lag',
    'skein lag swarm.telemetry --group map --json',
    'skein lag --fail-over 5s   # exit code 1 when any group lags longer',
  ])
    .argument('[topic]', 'default: all topics')
    .option('--group <name>', 'this group only')
    .option('--fail-over <duration>', 'fail when the oldest unacknowledged message has waited longer', durationMs)
    .action((topic: string | undefined, options: LagOptions) =>
      withBus(options, context, async (bus) => {
        const { group } = options
        const lags = topic === undefined ? await lagEverywhere(bus, group) : await bus.admin.lag(topic, group)
        await tell(lags, options, context)
        const secondsMax = (options.failOver ?? Number.POSITIVE_INFINITY) / 1_000
        if (lags.some(({ seconds }) => (seconds ?? 0) > secondsMax)) context.exitCode = EXIT.failed
      }),
    )
}

async function tell(lags: readonly Lag[], options: LagOptions, { terminal }: CommandContext): Promise<void> {
  if (options.json) {
    await terminal.line(JSON.stringify({ lag: lags }))
    return
  }
  const rows = lags.map(({ topic, group, partition, messages, seconds }) => [
    topic,
    group ?? '-',
    String(partition),
    String(messages),
    seconds === undefined ? '-' : seconds.toFixed(1),
  ])
  await terminal.line(table([['topic', 'group', 'partition', 'messages', 'seconds'], ...rows]))
}
