import { text as wholeText } from 'node:stream/consumers'
import { type Command, Option } from 'commander'
import {
  type Bus,
  checkNotOwnTopic,
  type Durability,
  type Intent,
  type Message,
  openIfMissing,
  type Position,
  type Receipt,
  type RequestedDurability,
  type Writer,
} from '../../bus/index.ts'
import { checkSubject, SkeinError, UnsupportedError } from '../../core/index.ts'
import { type ClientOptions, newClientCommand, withBus } from '../client.ts'
import type { CommandContext } from '../context.ts'
import { EXIT } from '../exit-codes.ts'
import { durationMs, namedValues, wholeNumber } from '../options.ts'
import { readLines } from '../replay/lines.ts'
import { untilInterrupted } from '../until-interrupted.ts'

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
    `skein pub swarm.events.sighting '{"targetId":"t1","confidence":0.9}' --key t1`,
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
    await refuseCommands(bus, topic)
    const total = await publishAll(bus, topic, messageBatches(topic, value, { options, context }), { options, context })
    const { terminal, signal } = context
    const interrupted = signal.aborted && { interrupted: true }
    if (interrupted) context.exitCode = EXIT.interrupted
    if (options.json) await terminal.line(JSON.stringify({ topic, ...total, ...interrupted }))
    else terminal.note(summary(total, signal.aborted))
  })
}

interface Called {
  readonly options: PubOptions
  readonly context: CommandContext
}

interface Total {
  readonly accepted: number
  readonly duplicates: number
  readonly durability: Durability | undefined
  readonly positions: readonly Position[]
}

function summary({ accepted, duplicates, durability }: Total, isInterrupted: boolean): string {
  const level = durability === undefined ? '' : `, ${durability}`
  const ending = isInterrupted ? '; interrupted, what came behind is not published' : ''
  return `${accepted} accepted, ${duplicates} duplicate${level}${ending}`
}

/** A command without intent id, deadline and addressee is nothing that an agent could take: it would only lie there. */
async function refuseCommands(bus: Bus, topic: string): Promise<void> {
  const description = await bus.admin.describeTopic(topic).catch((error: unknown) => {
    if (error instanceof SkeinError && error.code === 'not-found') return undefined
    throw error
  })
  if (description?.spec.intent !== 'command') return
  throw new UnsupportedError(
    `skein pub on topic "${topic}"`,
    'it carries commands, which need a target, a deadline and an intent id; use "skein send TARGET COMMAND [VALUE]"',
    { details: { topic, intent: 'command' } },
  )
}

/** The topic is made when there is something to put into it. */
async function publishAll(
  bus: Bus,
  topic: string,
  batches: AsyncIterable<readonly Message[]>,
  { options, context }: Called,
): Promise<Total> {
  const { intent, partitions, durability } = options
  let writer: Writer | undefined
  let accepted = 0
  let duplicates = 0
  let last: Receipt | undefined
  try {
    for await (const batch of batches) {
      if (writer === undefined) {
        await openIfMissing(bus, { name: topic, intent, partitions, ...(durability && { durability }) })
        writer = bus.writer(topic, durability ? { durability } : {})
      }
      last = await writer.write(batch)
      accepted += last.accepted
      duplicates += last.duplicates.length
    }
  } catch (error) {
    // Of lines, those that are published are told; a value alone was not published, and that is the error.
    if (!context.signal.aborted || !options.lines || error !== context.signal.reason) throw error
  }
  await writer?.drain()
  return { accepted, duplicates, durability: last?.durability, positions: last?.positions ?? [] }
}

/** A forgotten value is more likely than an empty message. */
function noValue(topic: string): SkeinError {
  return new SkeinError(
    'bad-input',
    `Cannot publish to "${topic}": no value was given, and standard input is empty; give '' for an empty message`,
    { details: { topic } },
  )
}

async function* messageBatches(
  topic: string,
  value: string | undefined,
  { options, context }: Called,
): AsyncGenerator<readonly Message[]> {
  const { key, id, header: headers, ttl: ttlMs } = options
  const message = (text: string): Message => ({
    subject: options.subject ?? topic,
    value: text,
    ...{ key, id, headers, ttlMs },
  })
  if (value !== undefined && !options.lines) {
    yield [message(value)]
    return
  }
  const input = untilInterrupted<Uint8Array>(process.stdin, context)
  if (!options.lines) {
    const text = await wholeText(input)
    if (text === '') throw noValue(topic)
    yield [message(text)]
    return
  }
  for await (const { lines } of readLines(input)) {
    const texts = lines.filter((line) => typeof line === 'string')
    for (let start = 0; start < texts.length; start += LINES_PER_BATCH) {
      yield texts.slice(start, start + LINES_PER_BATCH).map(message)
    }
  }
}
