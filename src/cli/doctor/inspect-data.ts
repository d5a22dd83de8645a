import { openEmbeddedBus } from '../../bus/drivers/embedded/index.ts'
import type { Bus, Reader } from '../../bus/index.ts'
import type { Disk, SkeinError } from '../../core/index.ts'
import { systemDisk } from '../../core/system/index.ts'
import type { CommandContext } from '../context.ts'
import { readThrough } from '../read-through.ts'
import { attention, broken, type Finding, ok } from './finding.ts'
import { inspectSwarm } from './inspect-swarm.ts'

const SYNCS = 21
const SYNC_SLOW_MS = 20

/** Opens a data directory as a node would, and reads all that is in it: every checksum is compared. */
export async function inspectData(directory: string, context: CommandContext): Promise<readonly Finding[]> {
  const disk = systemDisk()
  const missing = await whatIsMissing(disk, directory)
  if (missing !== undefined) return [broken('data directory', missing)]
  const { clock, random } = context
  let bus: Bus
  try {
    bus = await openEmbeddedBus({ disk, clock, random, directory })
  } catch (error) {
    return [broken('data directory', error)]
  }
  try {
    const findings = [ok('data directory', `${directory} opens`), await inspectSync(disk, directory, context)]
    for (const topic of await bus.admin.listTopics()) {
      context.signal.throwIfAborted()
      findings.push(...(await inspectTopic(bus, topic, context.signal)))
    }
    findings.push(...(await inspectSwarm(bus, context.signal)))
    return findings
  } finally {
    await bus.close()
  }
}

/** Looked at before it is opened: opening begins a data directory where there is none. */
async function whatIsMissing(disk: Disk, directory: string): Promise<string | undefined> {
  const what = await disk.list(directory).then(
    (names) => (names.includes('format.json') ? undefined : 'is no data directory: it has no format.json'),
    (error: SkeinError) =>
      error.code === 'not-found' ? 'is not there' : `cannot be read as a directory: ${error.message}`,
  )
  return what && `${directory} ${what}; give the directory that "skein up --data" was given`
}

async function inspectTopic(bus: Bus, topic: string, signal: AbortSignal): Promise<readonly Finding[]> {
  const { spec, partitions } = await bus.admin.describeTopic(topic)
  if (spec.storage === 'ephemeral') return []
  const reader = bus.reader(topic, { mode: 'broadcast', from: 'earliest' })
  try {
    const { messages, damage } = await readWhole(reader, signal)
    if (damage.length > 0) return damage.map((error) => broken(`topic ${topic}`, error))
    const stored = partitions.reduce((sum, { start, end }) => sum + end.sequence - start.sequence, 0)
    const facts = { stored, readable: messages }
    const gone = stored === messages ? '' : `; ${stored - messages} more are past their time or compacted away`
    return [{ ...ok(`topic ${topic}`, `${messages} messages, all readable${gone}`), facts }]
  } catch (error) {
    return [broken(`topic ${topic}`, error)]
  } finally {
    await reader.close()
  }
}

async function readWhole(reader: Reader, signal: AbortSignal) {
  const damage: SkeinError[] = []
  const onDamage = (error: SkeinError) => damage.push(error)
  let messages = 0
  const options = { untilEnd: true, countMax: Number.POSITIVE_INFINITY, signal, onDamage }
  for await (const { deliveries } of readThrough(reader, options)) messages += deliveries.length
  return { messages, damage }
}

async function inspectSync(disk: Disk, directory: string, { clock }: CommandContext): Promise<Finding> {
  const path = `${directory}/doctor.probe`
  if ((await disk.size(path)) !== undefined) await disk.remove(path)
  const file = await disk.open(path, 'create')
  const tookMs: number[] = []
  try {
    for (let index = 0; index < SYNCS; index += 1) {
      const startedAtMs = clock.monotonicMs()
      await file.writev([new Uint8Array(4_096)], index * 4_096)
      await file.datasync()
      tookMs.push(clock.monotonicMs() - startedAtMs)
    }
  } finally {
    await file.close()
    await disk.remove(path)
  }
  const medianMs = tookMs.sort((a, b) => a - b)[Math.floor(SYNCS / 2)]!
  const detail = `4 KiB written and synced in ${medianMs.toFixed(2)} ms (median of ${SYNCS})`
  return medianMs <= SYNC_SLOW_MS
    ? ok('disk', detail)
    : attention('disk', `${detail}: slow for durable acknowledgments`)
}
