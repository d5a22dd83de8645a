import { text as wholeText } from 'node:stream/consumers'
import { type Command, Option } from 'commander'
import {
  type Bus,
  checkNotOwnTopic,
  type Intent,
  type Message,
  openIfMissing,
  type Receipt,
  type RequestedDurability,
} from '../../bus/index.ts'
import { checkSubject } from '../../core/index.ts'
import { type ClientOptions, newClientCommand, withBus } from '../client.ts'
import type { CommandContext } from '../context.ts'
import { durationMs, namedValues, wholeNumber } from '../options.ts'
import { readLines } from '../replay/lines.ts'

const LINES_PER_BATCH = 1_000

interface PubOptions extends ClientOptions {
  readonly subject?: string
  readonly key?: string
  readonly id?: string
  readonly header?: Readonly<Record<string, string>>
  readonly ttl?: number
  readonly lines?: true
  readonly intent: Intent
  readonly partitions: number
  readonly durability?: RequestedDurability
}

export function pubCommand(context: CommandContext): Command {
  return newClientCommand('pub', 'publish a message, or each line of standard input as one', [
    `skein pub swarm.events.sighting '{"targetId":"t1"}' --key t1`,
    `skein pub swarm.telemetry '{"battery":0.7}' --subject swarm.telemetry.north.drone-7 --key drone-7`,
    'skein pub swarm.events.log --lines < app.log',
  ])
    .argument('<topic>', 'the topic; it is made when it is not there yet')
    .argument('[value]', 'the message; without it, standard input')
    .option('--subject <subject>', 'the address within the topic (default: the topic itself)')
    .option('--key <key>', 'order is kept per key (default: the subject)')
    .option('--id <id>', 'a repeat of this id is not stored again, where the topic deduplicates')
    .option('--header <name=value>', 'a header; may be given several times', namedValues)
    .option('--ttl <duration>', 'after this long it is given to nobody any more', durationMs)
    .option('--lines', 'every line of standard input is a message')
    .addOption(
      new Option('--intent <intent>', 'of a topic that is made')
        .choices(['telemetry', 'event', 'notice'])
        .default('event'),
    )
    .option('--partitions <n>', 'of a topic that is made', wholeNumber(1, 1024), 1)
    .addOption(
      new Option('--durability <level>', 'what the receipt must have').choices(['none', 'written', 'durable', 'safe']),
    )
    .action((topic: string, value: string | undefined, options: PubOptions) => pub(topic, value, options, context))
}

async function pub(topic: string, value: string | undefined, options: PubOptions, context: CommandContext) {
  checkSubject(topic, 'topic')
  checkNotOwnTopic(topic)
  await withBus(options, context, async (bus) => {
    const { intent, partitions, durability } = options
    await openIfMissing(bus, { name: topic, intent, partitions, ...(durability && { durability }) })
    const total = await publishAll(bus, topic, messageBatches(topic, value, options), durability)
    const { terminal } = context
    if (options.json) await terminal.line(JSON.stringify({ topic, ...total }))
    else terminal.note(`${total.accepted} accepted, ${total.duplicates} duplicate, ${total.durability}`)
  })
}

async function publishAll(
  bus: Bus,
  topic: string,
  batches: AsyncIterable<readonly Message[]>,
  durability: RequestedDurability | undefined,
) {
  const writer = bus.writer(topic, durability ? { durability } : {})
  let accepted = 0
  let duplicates = 0
  let last: Receipt | undefined
  for await (const batch of batches) {
    last = await writer.write(batch)
    accepted += last.accepted
    duplicates += last.duplicates.length
  }
  await writer.drain()
  return { accepted, duplicates, durability: last?.durability, positions: last?.positions ?? [] }
}

async function* messageBatches(
  topic: string,
  value: string | undefined,
  options: PubOptions,
): AsyncGenerator<readonly Message[]> {
  const { key, id, header: headers, ttl: ttlMs } = options
  const message = (text: string): Message => ({
    subject: options.subject ?? topic,
    value: text,
    ...{ key, id, headers, ttlMs },
  })
  if (!options.lines) {
    yield [message(value ?? (await wholeText(process.stdin)))]
    return
  }
  for await (const { lines } of readLines(process.stdin)) {
    const texts = lines.filter((line) => typeof line === 'string')
    for (let start = 0; start < texts.length; start += LINES_PER_BATCH) {
      yield texts.slice(start, start + LINES_PER_BATCH).map(message)
    }
  }
}
