import { type Command, Option } from 'commander'
import {
  checkPlaces,
  type Delivery,
  deliveryJson,
  type Reader,
  type ReaderOptions,
  type StartPosition,
} from '../../bus/index.ts'
import { type ClientOptions, newClientCommand, withBus } from '../client.ts'
import type { CommandContext } from '../context.ts'
import { KeyedDigest } from '../digest.ts'
import { EXIT } from '../exit-codes.ts'
import { collected, wholeNumber } from '../options.ts'
import { readThrough } from '../read-through.ts'
import { placesOf, startPosition } from '../start-position.ts'

interface SubOptions extends ClientOptions {
  readonly from?: StartPosition
  readonly until?: 'end'
  readonly count?: number
  readonly group?: string
  readonly subject?: readonly string[]
  readonly digest?: true
  readonly skipCorrupt?: true
}

export function subCommand(context: CommandContext): Command {
  return newClientCommand('sub', 'print the messages of a topic', [
    'skein sub swarm.events',
    `skein sub swarm.telemetry --from earliest --subject 'swarm.telemetry.north.>' --json`,
    'skein sub swarm.telemetry --from earliest --until end --digest --json',
    'skein sub swarm.events --group audit --count 100',
  ])
    .argument('<topic>', 'its name; single subjects of it are chosen with --subject')
    .option(
      '--from <position>',
      'earliest, latest, a time, or partition:sequence pairs (default: latest; of a group where it is, and earliest for a new one)',
      startPosition,
    )
    .addOption(new Option('--until <end>', 'stop at the end as it is now').choices(['end']))
    .option('--count <n>', 'stop after so many messages', wholeNumber(1))
    .option('--group <name>', 'read as a member of this group, and acknowledge what was printed')
    .option('--subject <filter>', 'only these subjects, * and > as wildcards; may be given several times', collected)
    .option('--skip-corrupt', 'leave out what is damaged, say so, and go on behind it')
    .option('--digest', 'print no messages but one fingerprint of all: their number, and SHA-256 per key')
    .action((topic: string, options: SubOptions) => subscribe(topic, options, context))
}

async function subscribe(topic: string, options: SubOptions, context: CommandContext): Promise<void> {
  await withBus(options, context, async (bus) => {
    checkPlaces(placesOf(options.from), await bus.admin.describeTopic(topic))
    const reader = bus.reader(topic, readerOptions(options))
    try {
      await consume(reader, options, context)
    } finally {
      await reader.close()
    }
  })
}

function readerOptions({ group, from, subject }: SubOptions): ReaderOptions {
  const subjects = subject === undefined ? {} : { subjects: subject }
  if (group !== undefined) return { mode: 'group', group, ...(from && { from }), ...subjects }
  return { mode: 'broadcast', from: from ?? 'latest', ...subjects }
}

async function consume(reader: Reader, options: SubOptions, context: CommandContext): Promise<void> {
  const sink = options.digest ? digestSink() : printingSink(options, context)
  const untilEnd = options.until === 'end'
  const countMax = options.count ?? Number.POSITIVE_INFINITY
  let rows = 0
  const { signal, terminal } = context
  const onDamage = options.skipCorrupt ? (error: Error) => terminal.note(`left out: ${error.message}`) : undefined
  for await (const { batch, deliveries } of readThrough(reader, { untilEnd, countMax, signal, onDamage })) {
    for (const delivery of deliveries) {
      const slow = sink.take(delivery)
      if (slow) await slow
    }
    rows += deliveries.length
    if (options.group !== undefined) await reader.acknowledge(deliveries.at(-1)!.position, batch.generation)
  }
  // Ctrl-C is how one leaves an endless reading, but it cuts short one that had an end.
  const finite = untilEnd || options.count !== undefined
  if (context.signal.aborted && finite) context.exitCode = EXIT.interrupted
  if (options.digest) await tellDigest({ rows, digest: sink.digest() }, options, context)
}

interface Sink {
  take(delivery: Delivery): Promise<void> | undefined
  digest(): string
}

function digestSink(): Sink {
  const digest = new KeyedDigest()
  return {
    take(delivery) {
      digest.add(delivery.key ?? delivery.subject, delivery.value ?? '')
      return undefined
    },
    digest: () => digest.value(),
  }
}

function printingSink(options: SubOptions, { terminal }: CommandContext): Sink {
  return {
    take: (delivery) => terminal.line(options.json ? deliveryJson(delivery) : plainLine(delivery)),
    digest: () => '',
  }
}

function plainLine(delivery: Delivery): string {
  const value = delivery.value === null ? '(deleted)' : delivery.text()
  return `${delivery.subject}\t${delivery.key ?? '-'}\t${value}`
}

async function tellDigest(result: { rows: number; digest: string }, options: SubOptions, { terminal }: CommandContext) {
  if (options.json) await terminal.line(JSON.stringify(result))
  else await terminal.line(`${result.rows} ${result.digest}`)
}
