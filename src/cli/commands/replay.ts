import { type Command, InvalidArgumentError, Option } from 'commander'
import { type Bus, type Durability, openIfMissing, type RequestedDurability, satisfies } from '../../bus/index.ts'
import { SkeinError } from '../../core/index.ts'
import { openByteSource } from '../../core/system/index.ts'
import { type ClientOptions, newClientCommand, withBus } from '../client.ts'
import type { CommandContext } from '../context.ts'
import { EXIT } from '../exit-codes.ts'
import { commaList, wholeNumber } from '../options.ts'
import { type BadRow, compileColumns, FLIGHT_COLUMNS, type Row } from '../replay/columns.ts'
import { decompressed } from '../replay/decompress.ts'
import { Pacer } from '../replay/pacer.ts'
import { ProgressLine } from '../replay/progress-line.ts'
import { RowPublisher } from '../replay/publish-rows.ts'
import { readRows } from '../replay/read-rows.ts'
import type { RowBlock } from '../replay/row-sink.ts'
import { SkippedRows } from '../replay/skipped-rows.ts'
import { untilInterrupted } from '../until-interrupted.ts'

interface ReplayOptions extends ClientOptions {
  readonly speed: number
  readonly key: string
  readonly time: string
  readonly subject: string
  readonly numbers: readonly string[]
  readonly partitions: number
  readonly durability: RequestedDurability
  readonly skipBad?: true
}

export function replayCommand(context: CommandContext): Command {
  return newClientCommand('replay', 'play a recording (CSV or JSON lines, plain or gzipped) as telemetry', [
    'skein replay flights.csv.gz --speed max',
    'skein replay flights.csv.gz --speed 60 --url skein://127.0.0.1:7600',
    `skein replay rovers.jsonl --key rover --time seconds --subject 'swarm.telemetry.{site}.{rover}' --numbers seconds,battery`,
    'zcat flights.csv.gz | skein replay - --speed max --json',
  ])
    .argument('<file>', 'the recording; - is standard input')
    .option('--speed <n|max>', '1 is as recorded, 10 ten times as fast, max as fast as the node accepts', speed, 1)
    .option('--key <column>', 'the message key: order is kept per key', FLIGHT_COLUMNS.key)
    .option('--time <column>', 'seconds since the start of the recording', FLIGHT_COLUMNS.time)
    .option('--subject <pattern>', 'its fields are columns, its static prefix is the topic', FLIGHT_COLUMNS.subject)
    .option('--numbers <columns>', 'columns that become JSON numbers', commaList, FLIGHT_COLUMNS.numbers)
    .option('--partitions <n>', 'of the topic, when it is made', wholeNumber(1, 1024), 4)
    .addOption(
      new Option('--durability <level>', 'what every receipt must have')
        .choices(['none', 'written', 'durable', 'safe'])
        .default('durable'),
    )
    .option('--skip-bad', 'count rows that cannot be read, and go on')
    .action((file: string, options: ReplayOptions) => replay(file, options, context))
}

async function replay(file: string, options: ReplayOptions, context: CommandContext): Promise<void> {
  const columns = compileColumns({
    ...options,
    time: options.speed === Number.POSITIVE_INFINITY ? undefined : options.time,
  })
  const source = await openByteSource(file)
  const progress = new ProgressLine(context, source.sizeBytes)
  // A file is read on and looked at for an interrupt between its pieces; standard input may never give another one.
  const chunks = file === '-' ? untilInterrupted(source.chunks, context) : source.chunks
  const blocks = readRows(decompressed(progress.counted(chunks)), columns)
  const reading = { file, skipBad: options.skipBad === true, skipped: new SkippedRows() }
  await withBus(options, context, async (bus) => {
    // Before the topic is made: a file of which nothing can be used leaves nothing behind.
    const first = await untilFirstRow(blocks, reading)
    const { topic } = columns.subject
    const { partitions, durability } = options
    await openIfMissing(bus, { name: topic, intent: 'telemetry', partitions, durability })
    const publisher = new RowPublisher(bus.writer(topic, { durability }), context.signal)
    const run = { ...reading, publisher, progress }
    try {
      await play(startingWith(first, blocks), new Pacer(context.clock, options.speed), run, context)
    } finally {
      progress.clear()
    }
    const level = publisher.durability ?? (await levelOf(bus, topic, durability))
    await tell(run, level, { topic, options, context })
  })
}

interface Reading {
  readonly file: string
  readonly skipBad: boolean
  readonly skipped: SkippedRows
}

/** The first block with a row to publish; undefined for a file with no rows at all. Throws `bad-input`. */
async function untilFirstRow(blocks: AsyncIterator<RowBlock>, reading: Reading): Promise<RowBlock | undefined> {
  let firstBad: BadRow | undefined
  for (let next = await blocks.next(); !next.done; next = await blocks.next()) {
    const { rows, bad, rowsBeforeBad } = next.value
    if ((reading.skipBad ? rows.length : rowsBeforeBad) > 0) return next.value
    firstBad ??= bad[0]
    if (firstBad && !reading.skipBad) throw badLine(firstBad, reading.file, 0)
    reading.skipped.add(bad)
  }
  if (firstBad) throw noRow(firstBad, reading)
  return undefined
}

async function* startingWith<Item>(first: Item | undefined, rest: AsyncIterable<Item>): AsyncGenerator<Item> {
  if (first === undefined) return
  yield first
  yield* rest
}

/** What a receipt would have said, when there was nothing to publish. */
async function levelOf(bus: Bus, topic: string, asked: RequestedDurability): Promise<Durability> {
  const { durability } = (await bus.admin.describeTopic(topic)).capabilities
  return asked !== 'safe' && satisfies(durability, asked) ? asked : durability
}

interface Run extends Reading {
  readonly publisher: RowPublisher
  readonly progress: ProgressLine
}

/** Ends early, but with every receipt awaited, when interrupted. */
async function play(blocks: AsyncIterable<RowBlock>, pacer: Pacer, run: Run, context: CommandContext): Promise<void> {
  const { publisher } = run
  try {
    for await (const block of blocks) {
      const [bad] = block.bad
      const stops = bad !== undefined && !run.skipBad
      await playBlock(stops ? block.rows.slice(0, block.rowsBeforeBad) : block.rows, pacer, run, context)
      run.skipped.add(block.bad)
      if (stops) await stopAt(bad, run)
      context.signal.throwIfAborted()
      run.progress.show(publisher)
    }
  } catch (error) {
    if (!context.signal.aborted) throw await withPublished(error, publisher)
    context.exitCode = EXIT.interrupted
  }
  await publisher.finish()
}

async function playBlock(
  rows: readonly Row[],
  pacer: Pacer,
  run: Run,
  { clock, signal }: CommandContext,
): Promise<void> {
  for (const row of rows) {
    const waitMs = pacer.waitMs(row.timeS)
    if (waitMs > 0) {
      await run.publisher.flush()
      run.progress.show(run.publisher)
      await clock.sleep(waitMs, { signal })
    }
    const behind = run.publisher.add(row)
    if (behind) await behind
  }
}

/** Of a file that cannot be read on, what was read until then is published: the error says how much that is. */
async function withPublished(error: unknown, publisher: RowPublisher): Promise<unknown> {
  const isOfFile = error instanceof SkeinError && (error.code === 'bad-input' || error.code === 'io-failed')
  if (!isOfFile || 'acked' in error.details) return error
  await publisher.finish()
  const { acked } = publisher
  return new SkeinError(error.code, `${error.message}. The ${acked} rows before that are published`, {
    cause: error,
    details: { ...error.details, acked },
  })
}

/** What stands before it is published first: the error says how much that is. */
async function stopAt(bad: BadRow, { publisher, file }: Run): Promise<never> {
  await publisher.finish()
  throw badLine(bad, file, publisher.acked)
}

function badLine(bad: BadRow, file: string, acked: number): SkeinError {
  const before = acked === 0 ? 'Nothing was published' : `The ${acked} rows before it are published`
  return new SkeinError(
    'bad-input',
    `Cannot use line ${bad.line} of ${file}: ${bad.message}. ${before}; correct it, or give --skip-bad to leave out such rows`,
    { cause: bad, details: { file, line: bad.line, acked } },
  )
}

function noRow(first: BadRow, { file, skipped }: Reading): SkeinError {
  return new SkeinError(
    'bad-input',
    `Cannot replay ${file}: none of its ${skipped.count} rows can be used. The first, on line ${first.line}: ${first.message}`,
    { cause: first, details: { file, line: first.line, acked: 0 } },
  )
}

async function tell(run: Run, durability: Durability, { topic, options, context }: Told): Promise<void> {
  const { terminal, signal } = context
  const { rows, acked } = run.publisher
  const digest = run.publisher.digest()
  const { skipped } = run
  if (options.json) {
    const left = run.skipBad && { skipped: skipped.count, skippedRows: skipped.first }
    const interrupted = signal.aborted && { interrupted: true }
    return terminal.line(JSON.stringify({ topic, rows, acked, durability, digest, ...left, ...interrupted }))
  }
  const ending = signal.aborted ? '; interrupted, the rows behind these are not published' : ''
  terminal.note(`${rows} rows to ${topic}, ${acked} acknowledged as ${durability}${ending}`)
  if (run.skipBad) for (const sentence of skipped.sentences()) terminal.note(sentence)
  await terminal.line(digest)
}

interface Told {
  readonly topic: string
  readonly options: ReplayOptions
  readonly context: CommandContext
}

function speed(text: string): number {
  if (text === 'max') return Number.POSITIVE_INFINITY
  const value = Number(text.replace(/x$/, ''))
  if (!(value > 0) || !Number.isFinite(value)) throw new InvalidArgumentError('give a number above 0, or max.')
  return value
}
