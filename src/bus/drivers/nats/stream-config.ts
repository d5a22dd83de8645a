import { SkeinError, UnsupportedError } from '../../../core/index.ts'
import type { TopicSettings } from '../../kit/index.ts'
import { SETTINGS_KEY, TopicNames } from './names.ts'
import type { ServerFeatures } from './server-version.ts'

/** What the driver reads and writes of a stream's configuration. Durations are nanoseconds. */
export interface StreamConfig {
  readonly name: string
  readonly subjects: readonly string[]
  readonly storage: 'file' | 'memory'
  readonly retention: 'limits'
  readonly discard: 'old'
  readonly num_replicas: number
  readonly max_age: number
  readonly max_bytes: number
  readonly max_msgs_per_subject: number
  readonly duplicate_window?: number
  readonly allow_direct: boolean
  readonly allow_msg_ttl?: boolean
  readonly allow_batched?: boolean
  readonly metadata: Readonly<Record<string, string>>
}

export interface StreamInfo {
  readonly config: StreamConfig
  readonly state: {
    readonly messages: number
    readonly bytes: number
    readonly first_seq: number
    readonly last_seq: number
    readonly subjects?: Readonly<Record<string, number>>
  }
  readonly cluster?: {
    readonly leader?: string
    readonly replicas?: ReadonlyArray<{ readonly name: string; readonly current: boolean; readonly offline?: boolean }>
  }
}

const NANOSECONDS = 1_000_000
/** JetStream takes no shorter window or age. */
const SHORTEST_MS = 100
/** On topics without deduplication, ids of the writer's own make a batch that is sent again after a reconnect harmless. */
const RESEND_WINDOW_MS = 20_000

/** Throws `UnsupportedError` for what no stream of this server can be. */
export function checkSupported(settings: TopicSettings, replicas: number, features: ServerFeatures): void {
  const { name, minInSyncReplicas = 1, racks = 1, compression = 'none', ttlMs } = settings
  const majority = Math.floor(replicas / 2) + 1
  if (minInSyncReplicas > majority) {
    const reason = `JetStream acknowledges topic "${name}" after a majority of its ${replicas} replicas, which is ${majority}`
    throw new UnsupportedError(`${minInSyncReplicas} replicas in sync`, reason)
  }
  if (racks > 1) {
    const reason =
      'where JetStream places replicas is decided by the servers (unique_tag), and no client can ask for it'
    throw new UnsupportedError(`${racks} racks`, reason)
  }
  if (compression !== 'none') {
    throw new UnsupportedError(`${compression} compression`, 'JetStream does not compress what it sends')
  }
  if (ttlMs !== undefined && !features.messageTtl) {
    throw new UnsupportedError('ttl', 'the server is older than 2.11 and knows no time to live of single messages')
  }
}

/** The stream of one partition. */
export function streamConfig(
  settings: TopicSettings,
  of: { readonly partition: number; readonly replicas: number; readonly features: ServerFeatures },
): StreamConfig {
  const names = new TopicNames(settings.name)
  const { retention, compaction, deduplicationWindowMs } = settings
  const ageMs = retention.ageMs === undefined ? 0 : Math.max(SHORTEST_MS, retention.ageMs)
  const windowMs = Math.max(SHORTEST_MS, deduplicationWindowMs === 0 ? RESEND_WINDOW_MS : deduplicationWindowMs)
  return {
    name: names.stream(of.partition),
    subjects: [`${names.prefix(of.partition)}>`],
    storage: 'file',
    retention: 'limits',
    discard: 'old',
    num_replicas: of.replicas,
    max_age: ageMs * NANOSECONDS,
    max_bytes: retention.bytes ?? -1,
    max_msgs_per_subject: compaction === undefined ? -1 : 1,
    duplicate_window: (ageMs === 0 ? windowMs : Math.min(windowMs, ageMs)) * NANOSECONDS,
    allow_direct: true,
    ...(of.features.messageTtl && { allow_msg_ttl: true }),
    ...(of.features.fastIngest && { allow_batched: true }),
    metadata: { [SETTINGS_KEY]: JSON.stringify(settings) },
  }
}

/** Where the groups of a topic keep their places: the last record of each subject. */
export function groupsConfig(names: TopicNames, replicas: number): StreamConfig {
  return {
    name: names.groups,
    subjects: [`${names.groupsPrefix}>`],
    storage: 'file',
    retention: 'limits',
    discard: 'old',
    num_replicas: replicas,
    max_age: 0,
    max_bytes: -1,
    max_msgs_per_subject: 1,
    allow_direct: true,
    metadata: {},
  }
}

/** The settings a topic was made with. Throws `bad-argument` for a stream that somebody else made under its name. */
export function settingsOf(info: StreamInfo, topic: string): TopicSettings {
  const text = info.config.metadata?.[SETTINGS_KEY]
  if (text !== undefined) return JSON.parse(text) as TopicSettings
  throw new SkeinError(
    'bad-argument',
    `Cannot use topic "${topic}": the stream ${info.config.name} was not made by Skein; delete or rename it`,
    { details: { topic, stream: info.config.name } },
  )
}

const COMPARED = ['max_age', 'max_bytes', 'max_msgs_per_subject', 'duplicate_window', 'storage', 'discard'] as const

/** Names a setting of the stream that somebody changed since the topic was made. Replicas may change: levels follow. */
export function checkUnchanged(info: StreamInfo, expected: StreamConfig): void {
  for (const setting of COMPARED) {
    const [is, was] = [info.config[setting], expected[setting]]
    if (is === was) continue
    throw new SkeinError(
      'bad-argument',
      `Cannot open the stream ${expected.name}: its ${setting} is ${is}, and the topic was made with ${was}; ` +
        'set it back, or delete the topic first',
      { details: { stream: expected.name, setting } },
    )
  }
}
