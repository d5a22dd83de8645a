import { type Command, Option } from 'commander'
import type { RequestedDurability } from '../../bus/index.ts'
import { SkeinError } from '../../core/index.ts'
import { readTextFile } from '../../core/system/index.ts'
import type { Binding, BridgeSpec, BridgeStatus, Together } from '../../fabric/index.ts'
import { newCommand } from '../client.ts'
import type { CommandContext } from '../context.ts'
import { brokerAddress } from '../node-url.ts'
import { collected, durationMs } from '../options.ts'
import { table } from '../terminal.ts'

interface BridgeCommandOptions {
  readonly from?: string
  readonly to?: string
  readonly topic?: string
  readonly toTopic?: string
  readonly name?: string
  readonly subject?: readonly string[]
  readonly durability?: RequestedDurability
  readonly create?: true
  readonly start?: 'earliest' | 'latest'
  readonly config?: string
  readonly until?: 'end'
  readonly statusEvery: number
  readonly connectTimeout: number
  readonly json?: true
}

export function bridgeCommand(context: CommandContext): Command {
  return newCommand('bridge', 'move topics from one broker to another, in order per key, each message once in effect', [
    'skein bridge --from nats://edge:4222 --to kafka://centre:9092 --topic swarm.telemetry --create',
    'skein bridge --from skein://127.0.0.1:7600 --to kafka://centre:9092 --topic swarm.events --durability written',
    'skein bridge --config skein.yaml --json   # one line of status every five seconds',
    'skein bridge --from nats://edge:4222 --to kafka://centre:9092 --topic swarm.telemetry --until end',
  ])
    .option('--from <url>', 'the broker, or node, that the messages come from')
    .option('--to <url>', 'the broker, or node, that they go to')
    .option('--topic <topic>', 'of the source')
    .option('--to-topic <topic>', 'of the target (default: the same)')
    .option('--name <name>', 'under which the place is kept: the same after a restart (default: made of the topics)')
    .option('--subject <filter>', 'only these subjects; may be given several times', collected)
    .addOption(
      new Option(
        '--durability <level>',
        'what the target must grant (default: written for telemetry, else safe)',
      ).choices(['none', 'written', 'durable', 'replicated', 'quorum-durable', 'safe']),
    )
    .option('--create', 'make the topic in the target, like that of the source, when it is not there')
    .addOption(new Option('--start <place>', 'of a bridge that never ran').choices(['earliest', 'latest']))
    .option('--config <file>', 'the bridges of a configuration file instead; see docs/reference/config.md')
    .addOption(new Option('--until <end>', 'stop when all is moved that is there now').choices(['end']))
    .option('--status-every <duration>', 'how often to say how far it is', durationMs, 5_000)
    .option('--connect-timeout <duration>', 'how long to keep trying to reach a broker', durationMs, 10_000)
    .action((options: BridgeCommandOptions) => run(options, context))
}

async function run(options: BridgeCommandOptions, context: CommandContext): Promise<void> {
  const { specs, brokers } = await asked(options)
  const { terminal, clock, random, signal } = context
  // Loaded here, so that the other commands start without it.
  const { openBridges } = await import('../../fabric/index.ts')
  const bridges = await openBridges(specs, {
    ...{ brokers, machine: { clock, random }, signal, connectTimeoutMs: options.connectTimeout },
    onProblem: ({ message, code }) => terminal.note(`${message} (${code})`),
  })
  try {
    const over = new AbortController()
    const telling = tellEvery(bridges, { options, context, over: over.signal })
    try {
      await bridges.run({ signal, untilEnd: options.until === 'end' })
    } finally {
      over.abort()
      await telling
    }
    await tell(await bridges.status(), options, context)
  } finally {
    await bridges.close()
  }
}

interface Asked {
  readonly specs: readonly BridgeSpec[]
  readonly brokers: Binding['brokers']
}

async function asked(options: BridgeCommandOptions): Promise<Asked> {
  const { from, to, topic, config } = options
  if (config !== undefined) return configured(config)
  if (from === undefined || to === undefined || topic === undefined) {
    throw new SkeinError('bad-argument', 'Cannot bridge: give --from, --to and --topic, or --config FILE')
  }
  const { name, subject: subjects, durability, create, start, toTopic } = options
  const ends = { from: { broker: brokerAddress(from), topic }, to: { broker: brokerAddress(to), topic: toTopic } }
  return { specs: [{ ...ends, name, subjects, durability, create, start }], brokers: {} }
}

async function configured(file: string): Promise<Asked> {
  const { readConfig } = await import('../../fabric/index.ts')
  const { bridges, brokers } = readConfig({ file: { name: file, text: await readTextFile(file) } })
  if (bridges.length === 0) throw new SkeinError('bad-config', `Cannot bridge: ${file} has no "bridges"`)
  return { specs: bridges, brokers: (brokers ?? {}) as Binding['brokers'] }
}

async function tellEvery(
  bridges: Together<BridgeStatus>,
  to: { readonly options: BridgeCommandOptions; readonly context: CommandContext; readonly over: AbortSignal },
): Promise<void> {
  const { options, context, over } = to
  while (!over.aborted) {
    await context.clock.sleep(options.statusEvery, { signal: over }).catch(() => {})
    if (!over.aborted) await tell(await bridges.status(), options, context)
  }
}

async function tell(
  all: readonly BridgeStatus[],
  { json }: BridgeCommandOptions,
  { terminal }: CommandContext,
): Promise<void> {
  if (json) {
    await terminal.line(JSON.stringify({ bridges: all }))
    return
  }
  const rows = all.map(
    ({ bridge, state, moved, repeats, looped, deadLetters, lagMessages, lagSeconds, durability }) => [
      ...[bridge, state, String(moved), String(repeats), String(looped), String(deadLetters), String(lagMessages)],
      ...[lagSeconds === undefined ? '-' : lagSeconds.toFixed(1), durability],
    ],
  )
  const head = ['bridge', 'state', 'moved', 'repeats', 'looped', 'dead letters', 'lag', 'seconds', 'durability']
  await terminal.line(table([head, ...rows]))
}
