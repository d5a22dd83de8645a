import type { TopicSettings } from '../../../kit/index.ts'

/** A record is larger than its value: key, subject and headers. */
const RECORD_SPARE_BYTES = 64 * 1024

export type TopicConfigs = ReadonlyMap<string, string>

/** Those of Kafka's settings of a topic that the driver reads. */
export const READ_CONFIGS = [
  'cleanup.policy',
  'retention.ms',
  'retention.bytes',
  'delete.retention.ms',
  'max.message.bytes',
  'message.timestamp.type',
  'min.insync.replicas',
]

/** What a topic is created with, under Kafka's names. Without retention nothing goes: Kafka's own default is a week. */
export function configsOf(
  settings: TopicSettings,
  options: { readonly minInSyncReplicas: number | undefined; readonly more: Readonly<Record<string, string>> },
): ReadonlyArray<{ readonly name: string; readonly value: string }> {
  const { retention, compaction } = settings
  const isLimited = retention.ageMs !== undefined || retention.bytes !== undefined
  const configs: Record<string, string | number> = {
    'cleanup.policy': compaction === undefined ? 'delete' : isLimited ? 'compact,delete' : 'compact',
    'retention.ms': retention.ageMs ?? -1,
    'retention.bytes': retention.bytes ?? -1,
    'max.message.bytes': settings.messageBytesMax + RECORD_SPARE_BYTES,
    // The broker's time of the append; the message's own stays in its record.
    'message.timestamp.type': 'LogAppendTime',
    ...(compaction && { 'delete.retention.ms': compaction.tombstoneMs }),
    ...(options.minInSyncReplicas !== undefined && { 'min.insync.replicas': options.minInSyncReplicas }),
    ...options.more,
  }
  return Object.entries(configs).map(([name, value]) => ({ name, value: String(value) }))
}

/** The settings a topic really has: Kafka's where Kafka knows them, else as they were recorded when it was made. */
export function actualSettings(
  recorded: TopicSettings,
  actual: {
    readonly configs: TopicConfigs
    readonly partitions: number
    readonly replicationFactor: number
    readonly racks: number
  },
): TopicSettings {
  const { configs } = actual
  const number = (name: string) => Number(configs.get(name) ?? Number.NaN)
  const ageMs = number('retention.ms')
  const bytes = number('retention.bytes')
  const messageBytesMax = number('max.message.bytes') - RECORD_SPARE_BYTES
  const isCompacted = configs.get('cleanup.policy')?.includes('compact') === true
  const minInSyncReplicas = number('min.insync.replicas')
  return {
    ...recorded,
    partitions: actual.partitions,
    retention: isDeleted(configs) ? { ...(ageMs > 0 && { ageMs }), ...(bytes > 0 && { bytes }) } : {},
    compaction: isCompacted ? { tombstoneMs: number('delete.retention.ms') } : undefined,
    messageBytesMax: messageBytesMax > 0 ? messageBytesMax : Math.max(1, number('max.message.bytes') - 1_024),
    replicationFactor: actual.replicationFactor,
    ...(Number.isFinite(minInSyncReplicas) && { minInSyncReplicas }),
    // More racks than asked for are no other setting.
    ...(recorded.racks !== undefined && { racks: Math.min(actual.racks, recorded.racks) }),
  }
}

function isDeleted(configs: TopicConfigs): boolean {
  return configs.get('cleanup.policy')?.includes('delete') !== false
}
