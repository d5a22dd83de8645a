import { Command, Option } from 'commander'
import { connectKafkaBus } from '../bus/drivers/kafka/index.ts'
import { connectNatsBus } from '../bus/drivers/nats/index.ts'
import { connectRabbitmqBus } from '../bus/drivers/rabbitmq/index.ts'
import { connectRemoteBus, type LinkStatus } from '../bus/drivers/remote/index.ts'
import type { Bus } from '../bus/index.ts'
import { type GrowingBus, shardedBus } from '../bus/sharded/index.ts'
import type { CommandContext } from './context.ts'
import { DEFAULT_URL, nodeUrl } from './node-url.ts'
import { durationMs } from './options.ts'
import { withTopicHint } from './topic-hint.ts'

/** What every command that talks to a node takes. */
export interface ClientOptions {
  readonly url: string
  readonly connectTimeout: number
  readonly json?: true
  readonly verbose?: true
}

/** A command with the options that all share; `examples` end its help. */
export function newCommand(name: string, description: string, examples: readonly string[]): Command {
  return new Command(name)
    .description(description)
    .option('--json', 'the result, or the error, as JSON on standard output')
    .option('--verbose', 'say the causes and the stack of an error')
    .addHelpText('after', `\nExamples:\n${examples.map((example) => `  $ ${example}`).join('\n')}`)
}

export function newClientCommand(name: string, description: string, examples: readonly string[]): Command {
  return newCommand(name, description, examples)
    .addOption(
      new Option(
        '--url <url>',
        'the node, as skein://, http:// or host:port, or a broker, as kafka://host:port, nats://host:port or amqp://host:port',
      )
        .env('SKEIN_URL')
        .default(DEFAULT_URL),
    )
    .option('--connect-timeout <duration>', 'how long to keep trying to reach it', durationMs, 10_000)
}

/** Connects, acts, and disconnects whatever happens. */
export async function withBus<Result>(
  options: ClientOptions,
  context: CommandContext,
  action: (bus: GrowingBus) => Promise<Result>,
): Promise<Result> {
  const bus = shardedBus(await openCommandBus(options, context), context)
  try {
    const result = await action(bus)
    await bus.drain()
    return result
  } catch (error) {
    throw await withTopicHint(error, bus, options.url === DEFAULT_URL ? '' : ` --url ${options.url}`)
  } finally {
    await bus.close()
  }
}

/** A node's, or a broker's own where the URL names one. */
function openCommandBus(options: ClientOptions, context: CommandContext): Promise<Bus> {
  const { clock, random, signal } = context
  const common = { clock, random, signal, connectTimeoutMs: options.connectTimeout }
  if (options.url.startsWith('kafka://')) return connectKafkaBus({ url: options.url, ...common })
  if (/^(nats|tls):/.test(options.url)) return connectNatsBus({ url: options.url, ...common })
  if (/^amqps?:/.test(options.url)) return connectRabbitmqBus({ url: options.url, ...common })
  return connectRemoteBus({ url: nodeUrl(options.url), ...common, onStatus: tellStatus(context) })
}

/** Whoever waits for messages is told why none come. */
function tellStatus({ terminal }: CommandContext): (status: LinkStatus) => void {
  let isAway = false
  return ({ state, error }) => {
    if (state === 'reconnecting' && !isAway) terminal.note(`The node is away, trying again: ${error?.message ?? ''}`)
    if (state === 'connected' && isAway) terminal.note('The node is there again')
    isAway = state === 'reconnecting'
  }
}
