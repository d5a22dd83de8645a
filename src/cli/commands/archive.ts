import { Command, InvalidArgumentError, Option } from 'commander'
import type { RequestedDurability } from '../../bus/index.ts'
import { timestampMs } from '../../core/index.ts'
import { archivePlace } from '../archive/archive-place.ts'
import { type RunFlags, runArchives } from '../archive/run-archives.ts'
import { newCommand } from '../client.ts'
import type { CommandContext } from '../context.ts'
import { brokerAddress } from '../node-url.ts'
import { durationMs, wholeNumber } from '../options.ts'

const PLACE = 'a directory, or s3://BUCKET/PREFIX?endpoint=URL&region=NAME'
const LEVELS = ['none', 'written', 'durable', 'replicated', 'quorum-durable', 'safe']

/** `skein archive`: topics kept in a directory or in S3, and brought back. */
export function archiveCommand(context: CommandContext): Command {
  const archive = new Command('archive').description('keep topics in a directory or in S3, check them, bring them back')
  for (const make of [run, show, list, verify, restore]) archive.addCommand(make(context))
  return archive
}

interface PlaceFlags {
  readonly config?: string
  readonly json?: true
}

function placeCommand(name: string, description: string, examples: readonly string[]): Command {
  return newCommand(name, description, examples)
    .argument('<place>', PLACE)
    .option('--config <file>', 'a configuration file that has credentials for the place')
}

function run(context: CommandContext): Command {
  return newCommand('run', 'archive a topic, going on where the last run ended; Ctrl-C finishes what was read', [
    'skein archive run /backup/positions --from kafka://centre:9092 --topic swarm.positions',
    'skein archive run s3://backup/positions --from 127.0.0.1:7600 --topic swarm.positions --until end',
    'skein archive run --config skein.yaml --json   # one line of status every five seconds',
  ])
    .argument('[place]', PLACE)
    .option('--from <url>', 'the broker, or node, that has the topic')
    .option('--topic <topic>', 'what to archive')
    .addOption(new Option('--start <place>', 'of an archive that is not there yet').choices(['earliest', 'latest']))
    .option(
      '--segment-bytes <n>',
      'close a segment at so many bytes, uncompressed (default: 16 MiB)',
      wholeNumber(1024),
    )
    .option('--segment-age <duration>', 'close a segment after so long (default: 1m)', durationMs)
    .option('--take-over', 'do not wait to see whether another archiver lives: fence it off')
    .option('--config <file>', 'the archives of a configuration file instead; see docs/reference/config.md')
    .addOption(new Option('--until <end>', 'stop when all is archived that is there now').choices(['end']))
    .option('--status-every <duration>', 'how often to say how far it is', durationMs, 5_000)
    .option('--connect-timeout <duration>', 'how long to keep trying to reach a broker', durationMs, 10_000)
    .action((place: string | undefined, flags: RunFlags) => runArchives(place, { flags, context }))
}

function show(context: CommandContext): Command {
  return placeCommand('show', 'what an archive holds, and how far it is', [
    'skein archive show /backup/positions',
    'skein archive show "s3://backup/positions?endpoint=http://10.0.0.5:7070" --json',
  ]).action(async (place: string, flags: PlaceFlags) => {
    const { showArchive } = await import('../archive/look-at-archive.ts')
    await showArchive(await archivePlace(place, flags), { json: flags.json === true, context })
  })
}

function list(context: CommandContext): Command {
  return placeCommand('list', 'the segments of an archive and the gaps between them, in order', [
    'skein archive list /backup/positions',
    'skein archive list /backup/positions --json   # one line of JSON each',
  ]).action(async (place: string, flags: PlaceFlags) => {
    const { listArchive } = await import('../archive/look-at-archive.ts')
    await listArchive(await archivePlace(place, flags), { json: flags.json === true, context })
  })
}

function verify(context: CommandContext): Command {
  return placeCommand('verify', 'read all of an archive and compare it with its manifest; exit code 14 for damage', [
    'skein archive verify /backup/positions',
    'skein archive verify /backup/positions --clean   # and delete what dead archivers left over',
  ])
    .option('--clean', 'delete segments that no record names and none ever will')
    .action(async (place: string, flags: PlaceFlags & { readonly clean?: true }) => {
      const { verifyPlace } = await import('../archive/look-at-archive.ts')
      const options = { json: flags.json === true, context, clean: flags.clean === true }
      await verifyPlace(await archivePlace(place, flags), options)
    })
}

interface RestoreFlags extends PlaceFlags {
  readonly to: string
  readonly toTopic?: string
  readonly create?: true
  readonly durability?: RequestedDurability
  readonly since?: number
  readonly before?: number
  readonly keepExpired?: true
  readonly connectTimeout: number
}

function restore(context: CommandContext): Command {
  return placeCommand('restore', 'write an archive into a topic; cut off and run again, each message is written once', [
    'skein archive restore /backup/positions --to 127.0.0.1:7600 --create',
    'skein archive restore s3://backup/positions --to kafka://centre:9092 --to-topic swarm.restored --create',
    'skein archive restore /backup/positions --to 127.0.0.1:7600 --to-topic swarm.monday --create --since 2026-03-02 --before 2026-03-03',
  ])
    .requiredOption('--to <url>', 'the broker, or node, that gets the messages')
    .option('--to-topic <topic>', 'default: the name of the archived one')
    .option('--create', 'make the topic, like the archived one, when it is not there')
    .addOption(new Option('--durability <level>', 'what the topic must grant').choices(LEVELS))
    .option('--since <time>', 'only what was appended then or later', timeMs)
    .option('--before <time>', 'only what was appended before', timeMs)
    .option('--keep-expired', 'messages whose time to live is over, too; none expires any more')
    .option('--connect-timeout <duration>', 'how long to keep trying to reach the broker', durationMs, 10_000)
    .action((place: string, flags: RestoreFlags) => restorePlace(place, flags, context))
}

async function restorePlace(place: string, flags: RestoreFlags, context: CommandContext): Promise<void> {
  const { terminal, clock, random, signal } = context
  const { restoreFrom } = await import('../../fabric/index.ts')
  const { create, durability, since: sinceMs, before: beforeMs, connectTimeout: connectTimeoutMs } = flags
  const report = await restoreFrom(await archivePlace(place, flags), {
    ...{
      to: { broker: brokerAddress(flags.to), topic: flags.toTopic },
      brokers: {},
      machine: { clock, random },
      signal,
    },
    ...{ create, durability, sinceMs, beforeMs, connectTimeoutMs, expired: flags.keepExpired ? 'keep' : 'skip' },
    onProblem: ({ message, code }) => terminal.note(`${message} (${code})`),
    onProgress: ({ read, messages }) => terminal.progress(`${read} of ${messages} messages`),
  })
  const { topic, restored, repeats, expired, gaps } = report
  await terminal.line(
    flags.json
      ? JSON.stringify(report)
      : `${topic}: ${restored} restored, ${repeats} there already, ${expired} expired; ${gaps} gaps in the archive`,
  )
}

function timeMs(text: string): number {
  const atMs = timestampMs(text)
  if (atMs !== undefined) return atMs
  throw new InvalidArgumentError('give a time such as 2026-01-31T12:00:00Z.')
}
