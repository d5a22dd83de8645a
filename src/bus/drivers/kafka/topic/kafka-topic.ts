import type { Capabilities, Compression } from '../../../index.ts'
import type { TopicSettings } from '../../../kit/index.ts'

/** A topic, verified: what writers and readers of it need to know. */
export interface KafkaTopic {
  readonly name: string
  /** Kafka's own: another after the topic was deleted and made again. */
  readonly id: string
  readonly settings: TopicSettings
  readonly capabilities: Capabilities
  readonly partitions: number
  /** A batch may have so many bytes before compression. */
  readonly batchBytesMax: number
  readonly compression: Compression
  /** The times of its messages travel in a header: compaction rewrites those of the records. */
  readonly keepsTime: boolean
}
