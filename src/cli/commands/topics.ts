import { Command, Option } from 'commander'
import {
  type Bus,
  checkNotOwnTopic,
  type Intent,
  isOwnTopic,
  type RequestedDurability,
  type TopicDescription,
} from '../../bus/index.ts'
import type { GrowingBus, GrowthStep } from '../../bus/sharded/index.ts'
import { UnsupportedError } from '../../core/index.ts'
import { type ClientOptions, newClientCommand, withBus } from '../client.ts'
import type { CommandContext } from '../context.ts'
import { durationMs, wholeNumber } from '../options.ts'
import { table } from '../terminal.ts'
import { unknownCommand } from '../unknown-command.ts'

interface CreateOptions extends ClientOptions {
  readonly intent: Intent
  readonly partitions: number
  readonly durability?: RequestedDurability
  readonly ttl?: number
  readonly retainAge?: number
  readonly retainBytes?: number
  readonly compact?: true
  readonly growing?: true
  readonly shardLevel?: number
  readonly shards?: readonly string[]
}

export function topicsCommand(context: CommandContext): Command {
  const topics = new Command('topics').description('list, show, create, grow and delete topics')
  topics.addCommand(defaultOf(topics, listCommand(context)), { isDefault: true })
  topics.addCommand(showCommand(context))
  topics.addCommand(createCommand(context))
  topics.addCommand(growCommand(context))
  topics.addCommand(deleteCommand(context))
  return topics
}

/** Done when no command of the group is named: what then stands in a command's place is none. */
function defaultOf(group: Command, command: Command): Command {
  return command.allowExcessArguments().hook('preAction', () => {
    const [unexpected] = command.args
    if (unexpected === undefined) return
    if (group.args[0] !== command.name()) unknownCommand(group, unexpected)
    command.error(`error: too many arguments for '${command.name()}': ${command.args.join(', ')}`, {
      code: 'commander.excessArguments',
    })
  })
}

function listCommand(context: CommandContext): Command {
  return newClientCommand('list', 'all topics (what `skein topics` does)', ['skein topics', 'skein topics --json'])
    .option('--all', "Skein's own topics too")
    .option('--health', 'how the replicas of each stand, on a broker that keeps several')
    .action((options: ClientOptions & { readonly all?: true; readonly health?: true }) =>
      withBus(options, context, async (bus) => {
        const names = (await bus.admin.listTopics()).filter((name) => options.all || !isOwnTopic(name))
        if (options.health) return tellHealth(bus, names, { options, context })
        const descriptions = await Promise.all(names.map((name) => bus.admin.describeTopic(name)))
        await tell(descriptions, options, context)
      }),
    )
}

async function tellHealth(
  bus: Bus,
  names: readonly string[],
  to: { readonly options: ClientOptions; readonly context: CommandContext },
): Promise<void> {
  const { admin } = bus
  if (admin.health === undefined) {
    throw new UnsupportedError('the health of replicas', `${bus.name} keeps none; ask a replicated broker by its --url`)
  }
  const all = await Promise.all(names.map((name) => admin.health!(name)))
  if (to.options.json) return to.context.terminal.line(JSON.stringify(all))
  const rows = all.map(({ topic, partitions, underReplicated, leaderless, inOneRack }) =>
    [topic, partitions.length, leaderless, underReplicated, inOneRack].map(String),
  )
  const head = ['topic', 'partitions', 'without leader', 'under-replicated', 'in one rack']
  await to.context.terminal.line(table([head, ...rows]))
}

function showCommand(context: CommandContext): Command {
  return newClientCommand('show', 'one topic and its partitions', ['skein topics show swarm.telemetry --json'])
    .argument('<topic>', 'its name, such as swarm.telemetry')
    .action((topic: string, options: ClientOptions) =>
      withBus(options, context, async (bus) => {
        const description = await bus.admin.describeTopic(topic)
        if (options.json) return context.terminal.line(JSON.stringify(description))
        const rows = description.partitions.map(({ partition, start, end, bytes }) =>
          [partition, start.sequence, end.sequence, bytes].map(String),
        )
        await context.terminal.line(table([['partition', 'start', 'end', 'bytes'], ...rows]))
      }),
    )
}

function createCommand(context: CommandContext): Command {
  return newClientCommand('create', 'make a topic, or check that it has these settings', [
    'skein topics create swarm.telemetry --intent telemetry --partitions 8 --durability durable',
    'skein topics create swarm.state --intent event --compact',
    'skein topics create swarm.telemetry --intent telemetry --partitions 4 --growing',
    'skein topics create swarm.positions --intent telemetry --shards north,south --shard-level 1',
  ])
    .argument('<topic>', 'its name, such as swarm.telemetry')
    .addOption(
      new Option('--intent <intent>', 'what it is for: it decides the guarantees')
        .choices(['telemetry', 'event', 'command', 'notice', 'query'])
        .default('event'),
    )
    .option('--partitions <n>', 'order holds within a partition', wholeNumber(1, 1024), 1)
    .addOption(
      new Option('--durability <level>', 'what an acknowledgment survives (default: by the intent)').choices([
        'none',
        'written',
        'durable',
        'safe',
      ]),
    )
    .option('--ttl <duration>', 'after this long a message is given to nobody any more', durationMs)
    .option('--retain-age <duration>', 'older messages may be deleted', durationMs)
    .option('--retain-bytes <n>', 'beyond this size the oldest may be deleted', wholeNumber(1))
    .option('--compact', 'keep the last message of each key')
    .option('--growing', 'it may be given more partitions later (skein topics grow)')
    .option(
      '--shards <values>',
      'it is divided by what stands at a level of its subjects, such as north,south',
      commaList,
    )
    .option('--shard-level <n>', 'which level, behind the name of the topic (default: 1)', wholeNumber(1))
    .action((topic: string, options: CreateOptions) =>
      withBus(options, context, async (bus) => {
        checkNotOwnTopic(topic)
        const capabilities = await bus.open(topicSpec(topic, options))
        if (options.json) return context.terminal.line(JSON.stringify({ topic, ...capabilities }))
        context.terminal.note(`${topic}: ${capabilities.partitions} partitions, ${capabilities.durability}`)
      }),
    )
}

function topicSpec(name: string, options: CreateOptions) {
  const { intent, partitions, durability, ttl, retainAge, retainBytes, compact } = options
  const { growing, shards, shardLevel = 1 } = options
  const retention = {
    ...(retainAge !== undefined && { ageMs: retainAge }),
    ...(retainBytes !== undefined && { bytes: retainBytes }),
  }
  return {
    name,
    intent,
    partitions,
    ...(durability && { durability }),
    ...(ttl !== undefined && { ttlMs: ttl }),
    ...(Object.keys(retention).length > 0 && { retention }),
    ...(compact && { compaction: {} }),
    ...((growing || shards) && { sharding: shards ? { level: shardLevel, values: shards } : {} }),
  }
}

const commaList = (text: string) => text.split(',')

interface GrowOptions extends ClientOptions {
  readonly partitions?: number
  readonly shards?: readonly string[]
}

const STEPS: Readonly<Record<GrowthStep, string>> = {
  claimed: 'nobody else grows it',
  made: 'its topics are made',
  closing: 'writers stop, and wait',
  waited: 'everybody has stopped',
  sealed: 'writers go on',
}

function growCommand(context: CommandContext): Command {
  return newClientCommand('grow', 'give a topic more partitions, or shards, while it is written to and read', [
    'skein topics grow swarm.telemetry --partitions 16',
    'skein topics grow swarm.positions --shards north,south,west --partitions 4',
    'skein topics grow swarm.telemetry        # finishes what was broken off',
  ])
    .argument('<topic>', 'its name; it was made with --growing or --shards')
    .option('--partitions <n>', 'of the new generation, for each shard (default: as now)', wholeNumber(1, 1024))
    .option('--shards <values>', 'all that may stand at the level that divides it (default: as now)', commaList)
    .action((topic: string, options: GrowOptions) =>
      withBus(options, context, (bus) => grow(bus, topic, { options, context })),
    )
}

/** Broken off at any step, it is finished by running it again. */
async function grow(
  bus: GrowingBus,
  topic: string,
  { options, context }: { readonly options: GrowOptions; readonly context: CommandContext },
): Promise<void> {
  const { terminal, signal } = context
  const { shards: values } = options
  const onStep = (step: GrowthStep, generation: number) => terminal.note(`generation ${generation}: ${STEPS[step]}`)
  const isAsked = options.partitions !== undefined || values !== undefined
  const partitions = options.partitions ?? (await bus.admin.describeTopic(topic)).spec.partitions ?? 1
  const next = isAsked ? { partitions, ...(values && { values }) } : undefined
  const grown = await bus.grow(topic, next, { onStep, signal })
  if (options.json) return terminal.line(JSON.stringify(grown))
  terminal.note(`${topic}: generation ${grown.generation}, ${grown.partitions} partitions`)
}

function deleteCommand(context: CommandContext): Command {
  return newClientCommand('delete', 'delete a topic and all that is in it', ['skein topics delete swarm.scratch --yes'])
    .argument('<topic>', 'its name, such as swarm.telemetry')
    .option('--yes', 'mean it: there is no way back')
    .action((topic: string, options: ClientOptions & { readonly yes?: true }, command: Command) => {
      if (!options.yes) unconfirmed(command, topic)
      return withBus(options, context, async (bus) => {
        checkNotOwnTopic(topic)
        await bus.admin.deleteTopic(topic)
        if (options.json) await context.terminal.line(JSON.stringify({ topic, deleted: true }))
      })
    })
}

function unconfirmed(command: Command, topic: string): never {
  const message = `error: topic '${topic}' is deleted with every message in it, and there is no way back: if you mean it, add --yes`
  command.error(message, { code: 'commander.missingMandatoryOptionValue', exitCode: 2 })
}

async function tell(topics: readonly TopicDescription[], options: ClientOptions, { terminal }: CommandContext) {
  if (options.json) {
    await terminal.line(JSON.stringify({ topics }))
    return
  }
  const rows = topics.map(({ spec, capabilities, partitions }) => [
    spec.name,
    spec.intent,
    String(capabilities.partitions),
    capabilities.durability,
    String(partitions.reduce((sum, { start, end }) => sum + end.sequence - start.sequence, 0)),
    String(partitions.reduce((sum, { bytes }) => sum + bytes, 0)),
  ])
  await terminal.line(table([['topic', 'intent', 'partitions', 'durability', 'messages', 'bytes'], ...rows]))
}
