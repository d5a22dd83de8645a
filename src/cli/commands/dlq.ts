import { Command } from 'commander'
import { deadLetterTopic, deliveryJson } from '../../bus/index.ts'
import { type ClientOptions, newClientCommand, withBus } from '../client.ts'
import type { CommandContext } from '../context.ts'
import { isReplayed } from '../dead-letters.ts'
import { wholeNumber } from '../options.ts'
import { readThrough } from '../read-through.ts'

interface ListOptions extends ClientOptions {
  readonly max: number
}

interface ReplayOptions extends ClientOptions {
  readonly group?: string
  readonly max?: number
}

export function dlqCommand(context: CommandContext): Command {
  const dlq = new Command('dlq').description('dead letters: messages that a group gave up')
  dlq.addCommand(listCommand(context))
  dlq.addCommand(replayCommand(context))
  return dlq
}

function listCommand(context: CommandContext): Command {
  return newClientCommand('list', 'the dead letters of a topic, with why and whence', [
    'skein dlq list swarm.events',
    'skein dlq list swarm.events --json --max 10',
  ])
    .argument('<topic>', 'the topic they were in first')
    .option('--max <n>', 'how many', wholeNumber(1), 1_000)
    .action((topic: string, options: ListOptions) => list(topic, options, context))
}

async function list(topic: string, options: ListOptions, { terminal, signal, ...context }: CommandContext) {
  await withBus(options, { terminal, signal, ...context }, async (bus) => {
    await bus.admin.describeTopic(topic)
    const deadTopic = deadLetterTopic(topic)
    if (!(await bus.admin.listTopics()).includes(deadTopic)) {
      if (!options.json) terminal.note(`${topic} has no dead letters`)
      return
    }
    const { replayed } = await bus.admin.describeTopic(deadTopic)
    const reader = bus.reader(deadTopic, { mode: 'broadcast', from: 'earliest' })
    for await (const { deliveries } of readThrough(reader, { untilEnd: true, countMax: options.max, signal })) {
      for (const letter of deliveries) {
        await terminal.line(`${deliveryJson(letter).slice(0, -1)},"replayed":${isReplayed(letter, replayed)}}`)
      }
    }
    await reader.close()
  })
}

function replayCommand(context: CommandContext): Command {
  return newClientCommand('replay', 'publish dead letters again, where they came from', [
    'skein dlq replay swarm.events --group map',
    'skein dlq replay swarm.events --max 100 --json',
  ])
    .argument('<topic>', 'the topic they were in first')
    .option('--group <name>', 'only what this group gave up')
    .option('--max <n>', 'how many', wholeNumber(1))
    .action((topic: string, options: ReplayOptions) =>
      withBus(options, context, async (bus) => {
        const { group, max } = options
        await bus.admin.describeTopic(topic)
        const replayed = await bus.admin.replayDeadLetters(topic, {
          ...(group !== undefined && { group }),
          ...(max !== undefined && { max }),
        })
        if (options.json) await context.terminal.line(JSON.stringify({ topic, replayed }))
        else context.terminal.note(`${replayed} dead letters of ${topic} published again`)
      }),
    )
}
