import { checkSubject, SkeinError, UnsupportedError } from '../../core/index.ts'
import type { Compression, Intent, TopicSpec } from '../bus.ts'
import { type RequestedDurability, satisfies } from '../capabilities.ts'

/** A topic with every setting decided: what is stored, and what a second `open` is compared with. */
export interface TopicSettings {
  readonly name: string
  readonly intent: Intent
  readonly partitions: number
  readonly durability: RequestedDurability
  readonly storage: 'log' | 'work' | 'ephemeral'
  readonly retention: { readonly ageMs?: number; readonly bytes?: number }
  /** Undefined: not compacted. */
  readonly compaction: { readonly tombstoneMs: number } | undefined
  readonly deduplicationWindowMs: number
  /** Undefined: messages without a TTL of their own never expire. */
  readonly ttlMs: number | undefined
  readonly messageBytesMax: number
  /** These four: undefined where nothing was asked for. */
  readonly replicationFactor?: number
  readonly minInSyncReplicas?: number
  readonly racks?: number
  readonly compression?: Compression
}

const MESSAGE_BYTES_MAX = 1024 * 1024
const TOMBSTONE_MS = 24 * 60 * 60 * 1000
const DEDUPLICATION_WINDOW_MS = 120_000
const PARTITIONS_MAX = 4_096

/** Fills in the defaults of a spec. Throws `bad-argument` or `bad-subject` naming the setting. */
export function resolveTopic(spec: TopicSpec): TopicSettings {
  checkSubject(spec.name, 'topic')
  if (spec.sharding !== undefined) {
    throw new UnsupportedError(
      'growth',
      `topic "${spec.name}" is opened on a bus by itself; open it on \`shardedBus()\` over it`,
    )
  }
  const isEphemeral = spec.intent === 'notice' || spec.intent === 'query'
  const isStoredEvent = spec.intent === 'event' && spec.storage !== 'ephemeral'
  const settings: TopicSettings = {
    name: spec.name,
    intent: spec.intent,
    partitions: spec.partitions ?? 1,
    durability: spec.durability ?? defaultDurability(spec),
    storage: spec.storage ?? (isEphemeral ? 'ephemeral' : 'log'),
    retention: { ...spec.retention },
    compaction: spec.compaction && { tombstoneMs: spec.compaction.tombstoneMs ?? TOMBSTONE_MS },
    deduplicationWindowMs: spec.deduplicationWindowMs ?? (isStoredEvent ? DEDUPLICATION_WINDOW_MS : 0),
    ttlMs: spec.ttlMs,
    messageBytesMax: spec.messageBytesMax ?? MESSAGE_BYTES_MAX,
    ...replicationOf(spec),
  }
  checkRanges(settings)
  if (settings.storage === 'ephemeral') checkEphemeral(settings)
  return settings
}

function replicationOf(spec: TopicSpec): Partial<TopicSettings> {
  const { replicationFactor, minInSyncReplicas, racks, compression } = spec
  return {
    ...(replicationFactor !== undefined && { replicationFactor }),
    ...(minInSyncReplicas !== undefined && { minInSyncReplicas }),
    ...(racks !== undefined && { racks }),
    ...(compression !== undefined && { compression }),
  }
}

/** What needs a store is refused where there is none. */
function checkEphemeral(settings: TopicSettings): void {
  const { name, compaction, deduplicationWindowMs, retention } = settings
  const wanted =
    (compaction !== undefined && 'compaction') ||
    (deduplicationWindowMs > 0 && 'deduplication') ||
    (Object.keys(retention).length > 0 && 'retention')
  if (wanted) throw new UnsupportedError(wanted, `topic "${name}" is ephemeral and stores nothing`)
}

function defaultDurability(spec: TopicSpec): RequestedDurability {
  if (spec.storage === 'ephemeral' || spec.intent === 'notice' || spec.intent === 'query') return 'none'
  return spec.intent === 'telemetry' ? 'written' : 'safe'
}

function checkRanges(settings: TopicSettings): void {
  checkRange(settings, 'partitions', { value: settings.partitions, min: 1, max: PARTITIONS_MAX })
  checkRange(settings, 'deduplicationWindowMs', { value: settings.deduplicationWindowMs, min: 0 })
  checkRange(settings, 'messageBytesMax', { value: settings.messageBytesMax, min: 1, max: 64 * MESSAGE_BYTES_MAX })
  checkRange(settings, 'ttlMs', { value: settings.ttlMs ?? 1, min: 1 })
  checkRange(settings, 'retention.ageMs', { value: settings.retention.ageMs ?? 1, min: 1 })
  checkRange(settings, 'retention.bytes', { value: settings.retention.bytes ?? 1, min: 1 })
  checkRange(settings, 'replicationFactor', { value: settings.replicationFactor ?? 1, min: 1 })
  checkRange(settings, 'minInSyncReplicas', { value: settings.minInSyncReplicas ?? 1, min: 1 })
  checkRange(settings, 'racks', { value: settings.racks ?? 1, min: 1 })
  checkRange(settings, 'compaction.tombstoneMs', { value: settings.compaction?.tombstoneMs ?? 0, min: 0 })
}

function checkRange(
  settings: TopicSettings,
  setting: string,
  range: { readonly value: number; readonly min: number; readonly max?: number },
): void {
  const max = range.max ?? Number.MAX_SAFE_INTEGER
  if (Number.isInteger(range.value) && range.value >= range.min && range.value <= max) return
  throw new SkeinError(
    'bad-argument',
    `Cannot open topic "${settings.name}": ${setting} is ${range.value}, it must be a whole number from ${range.min} to ${max}`,
    { details: { topic: settings.name, setting, value: range.value } },
  )
}

/** For a log on one machine. Throws `UnsupportedError` for replicas, racks or compression that it cannot give. */
export function checkOneMachine(spec: TopicSpec): void {
  const { name, replicationFactor = 1, minInSyncReplicas = 1, racks = 1, compression = 'none' } = spec
  const reason = `topic "${name}" lies in a log on one machine; bind it to a replicated broker`
  if (replicationFactor > 1) throw new UnsupportedError(`a replication factor of ${replicationFactor}`, reason)
  if (minInSyncReplicas > 1) throw new UnsupportedError(`${minInSyncReplicas} replicas in sync`, reason)
  if (racks > 1) throw new UnsupportedError(`${racks} racks`, reason)
  if (compression === 'none') return
  throw new UnsupportedError(`${compression} compression`, `the log of topic "${name}" keeps records as they are`)
}

/** Checks that an existing topic grants what a spec asks for; what the spec leaves out is not asked for. */
export function checkSameTopic(existing: TopicSettings, spec: TopicSpec): void {
  const asked = resolveTopic(spec)
  for (const setting of differingSettings(existing, { spec, asked })) {
    throw new SkeinError(
      'bad-argument',
      `Cannot open topic "${spec.name}": its ${setting} is ${show(existing, setting)}, not ${show(asked, setting)}; ` +
        'open it as it is, or delete it first',
      { details: { topic: spec.name, setting } },
    )
  }
}

type Setting = Exclude<keyof TopicSettings, 'name'>

const COMPARED: readonly Setting[] = [
  'partitions',
  'storage',
  'retention',
  'compaction',
  'deduplicationWindowMs',
  'ttlMs',
  'messageBytesMax',
  'replicationFactor',
  'minInSyncReplicas',
  'racks',
  'compression',
]

function differingSettings(
  existing: TopicSettings,
  other: { readonly spec: TopicSpec; readonly asked: TopicSettings },
): Setting[] {
  const { spec, asked } = other
  const differing = COMPARED.filter(
    (setting) => spec[setting] !== undefined && JSON.stringify(existing[setting]) !== JSON.stringify(asked[setting]),
  )
  if (existing.intent !== asked.intent) differing.unshift('intent')
  if (spec.durability !== undefined && !grants(existing.durability, spec.durability)) differing.push('durability')
  return differing
}

function grants(existing: RequestedDurability, asked: RequestedDurability): boolean {
  if (existing === asked) return true
  return existing !== 'safe' && satisfies(existing, asked)
}

function show(settings: TopicSettings, setting: Setting): string {
  return JSON.stringify(settings[setting]) ?? 'none'
}
