import type { StartPosition } from '../../../index.ts'
import type { StoredProgress } from '../../../kit/index.ts'
import type { Cluster } from '../cluster.ts'
import { KAFKA, kafkaCode } from '../kafka-error.ts'
import { listOffsets } from '../read/list-offsets.ts'
import { SeenIds } from '../read/seen-ids.ts'
import { startOffsets } from '../read/start-offsets.ts'
import type { KafkaTopic } from '../topic/kafka-topic.ts'
import { fetchProgress } from './group-offsets.ts'

/** Where a group goes on in a partition that its reader has just been assigned. */
export interface GroupPlace {
  readonly partition: number
  readonly stored: StoredProgress
  /** The group has never been here. */
  readonly isNew: boolean
  /** The end as it is now: what lies before it may have been given in an earlier life. */
  readonly openedAtOffset: number
  /** Where the topic deduplicates: what the group may have been given within the window. */
  readonly ids: SeenIds | undefined
}

/** The places of a group in partitions of a topic; where it has none, it begins at `from`, else at the earliest. */
export async function groupPlaces(
  cluster: Cluster,
  of: {
    readonly topic: KafkaTopic
    readonly groupId: string
    readonly from: StartPosition
    readonly partitions: readonly number[]
    /** For whom: once it is closed nobody waits for them. */
    readonly reader: { readonly isClosed: boolean }
  },
): Promise<readonly GroupPlace[]> {
  const { topic, groupId, partitions } = of
  const signal = cluster.closing
  const [stored, ends] = await Promise.all([
    stableProgress(cluster, { groupId, topic: topic.name, partitions, signal }, of.reader),
    listOffsets(cluster, { topic: topic.name, at: 'latest', partitions, signal }),
  ])
  const fresh = partitions.filter((partition) => !stored.has(partition))
  const begun = await beginnings(cluster, { topic: topic.name, from: of.from, partitions: fresh })
  return Promise.all(
    partitions.map(async (partition) => {
      const progress = stored.get(partition) ?? beginAt(begun.get(partition)!)
      const ids = await idsBefore(cluster, topic, { partition, stored: progress })
      const openedAtOffset = ends.get(partition)!
      return { partition, stored: progress, isNew: !stored.has(partition), openedAtOffset, ids }
    }),
  )
}

/**
 * A processor that died while it committed leaves its transaction open until somebody begins under its id, or its time is up:
 * a minute by default, and longer than other failures are waited for.
 */
async function stableProgress(
  cluster: Cluster,
  of: Parameters<typeof fetchProgress>[1],
  reader: { readonly isClosed: boolean },
): Promise<ReadonlyMap<number, StoredProgress>> {
  for (;;) {
    try {
      return await fetchProgress(cluster, of)
    } catch (error) {
      if (kafkaCode(error) !== KAFKA.UNSTABLE_OFFSET_COMMIT || reader.isClosed) throw error
    }
  }
}

async function beginnings(
  cluster: Cluster,
  of: { readonly topic: string; readonly from: StartPosition; readonly partitions: readonly number[] },
): Promise<ReadonlyMap<number, number>> {
  const { topic, from, partitions } = of
  if (partitions.length === 0) return new Map()
  const offsets = await startOffsets(cluster, topic, { from, partitions })
  const missing = partitions.filter((partition) => !offsets.has(partition))
  if (missing.length === 0) return offsets
  const earliest = await listOffsets(cluster, { topic, at: 'earliest', partitions: missing })
  return new Map([...offsets, ...earliest])
}

function beginAt(offset: number): StoredProgress {
  return { settled: offset, delivered: offset, held: [], attempts: [] }
}

async function idsBefore(
  cluster: Cluster,
  topic: KafkaTopic,
  place: { readonly partition: number; readonly stored: StoredProgress },
): Promise<SeenIds | undefined> {
  const { deduplicationWindowMs: windowMs } = topic.settings
  if (windowMs === 0) return undefined
  const { partition, stored } = place
  const offset = stored.held.reduce((least, [at]) => Math.min(least, at), stored.settled)
  return SeenIds.before(cluster, { topic: topic.name, partition, offset, windowMs })
}
