import { SkeinError } from '../../core/index.ts'
import type { ArchiveSpec, ArchiveStatus, Together } from '../../fabric/index.ts'
import type { CommandContext } from '../context.ts'
import { brokerAddress } from '../node-url.ts'
import { table } from '../terminal.ts'
import { type Configured, configuredArchives } from './archive-place.ts'

export interface RunFlags {
  readonly from?: string
  readonly topic?: string
  readonly start?: 'earliest' | 'latest'
  readonly segmentBytes?: number
  readonly segmentAge?: number
  readonly takeOver?: true
  readonly until?: 'end'
  readonly config?: string
  readonly statusEvery: number
  readonly connectTimeout: number
  readonly json?: true
}

/** `skein archive run`: until it is stopped, or all is archived that is there. */
export async function runArchives(
  place: string | undefined,
  { flags, context }: { readonly flags: RunFlags; readonly context: CommandContext },
): Promise<void> {
  const { archives: specs, brokers } = await asked(place, flags)
  const { terminal, clock, random, signal } = context
  const { openArchives } = await import('../../fabric/index.ts')
  const archives = await openArchives(specs, {
    ...{ brokers, machine: { clock, random }, signal, connectTimeoutMs: flags.connectTimeout },
    onProblem: ({ message, code }) => terminal.note(`${message} (${code})`),
  })
  try {
    const over = new AbortController()
    const telling = tellEvery(archives, { flags, context, over: over.signal })
    try {
      await archives.run({ signal, untilEnd: flags.until === 'end' })
    } finally {
      over.abort()
      await telling
    }
    await tell(await archives.status(), flags, context)
  } finally {
    await archives.close()
  }
}

async function asked(place: string | undefined, flags: RunFlags): Promise<Configured> {
  const { from, topic, config, start, segmentBytes, segmentAge, takeOver } = flags
  if (config !== undefined) {
    const found = await configuredArchives(config)
    const archives = found.archives.filter(({ to }) => place === undefined || to.place === place)
    if (archives.length > 0) return { ...found, archives: archives.map((spec) => ({ ...spec, takeOver })) }
    throw new SkeinError('bad-config', `Cannot archive: ${config} has no "archives"${place ? ` at ${place}` : ''}`)
  }
  if (place === undefined || from === undefined || topic === undefined) {
    throw new SkeinError('bad-argument', 'Cannot archive: give the place, --from and --topic, or --config FILE')
  }
  const spec: ArchiveSpec = {
    ...{ from: { broker: brokerAddress(from), topic }, to: { place } },
    ...{ start, segmentBytes, segmentAgeMs: segmentAge, takeOver },
  }
  return { archives: [spec], brokers: {} }
}

async function tellEvery(
  archives: Together<ArchiveStatus>,
  to: { readonly flags: RunFlags; readonly context: CommandContext; readonly over: AbortSignal },
): Promise<void> {
  const { flags, context, over } = to
  while (!over.aborted) {
    await context.clock.sleep(flags.statusEvery, { signal: over }).catch(() => {})
    if (!over.aborted) await tell(await archives.status(), flags, context)
  }
}

async function tell(all: readonly ArchiveStatus[], { json }: RunFlags, { terminal }: CommandContext): Promise<void> {
  if (json) {
    await terminal.line(JSON.stringify({ archives: all }))
    return
  }
  const rows = all.map(
    ({ source, state, messages, archived, segments, bytes, gaps, looped, lagMessages, lagSeconds }) => [
      ...[source, state, String(messages), String(archived), String(segments), String(bytes), String(gaps)],
      ...[String(looped), String(lagMessages), lagSeconds === undefined ? '-' : lagSeconds.toFixed(1)],
    ],
  )
  const head = ['topic', 'state', 'messages', 'this run', 'segments', 'bytes', 'gaps', 'looped', 'lag', 'seconds']
  await terminal.line(table([head, ...rows]))
}
