import type { Clock, Disk, Random } from '../../../core/index.ts'
import type { SyncPolicy } from '../../../log/index.ts'

export interface EmbeddedBusOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly random: Random
  /** The data directory; made when it is missing. One bus per directory. */
  readonly directory: string
  /** How topics are synced. Default `group`. */
  readonly sync?: SyncPolicy
  /** Size at which a partition begins a new segment. Default 64 MiB. */
  readonly segmentBytes?: number
  /** Memory for the ids by which repeats are known, over all partitions; about 160 bytes an id. Default 512 MiB. */
  readonly idBytesMax?: number
  /** How often retention and compaction run. Default 10,000. */
  readonly maintenanceIntervalMs?: number
}
