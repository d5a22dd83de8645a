import type { StoredProgress } from '../../../kit/index.ts'
import type { Cluster, RetryOptions } from '../cluster.ts'
import { packProgress, unpackProgress } from './progress-metadata.ts'

/** Who commits: a member of the group under its epoch, or nobody in particular, while the group has no members. */
export interface Committer {
  readonly groupId: string
  readonly memberId: string
  readonly epoch: number
}

export function outsider(groupId: string): Committer {
  return { groupId, memberId: '', epoch: -1 }
}

/** Where a group stands in partitions of a topic; those it has no place in are left out. */
export async function fetchProgress(
  cluster: Cluster,
  of: { readonly groupId: string; readonly topic: string; readonly partitions: readonly number[] } & RetryOptions,
): Promise<ReadonlyMap<number, StoredProgress>> {
  const { groupId, topic, partitions } = of
  const group = {
    groupId,
    memberId: null,
    memberEpoch: -1,
    topics: [{ name: topic, partitionIndexes: [...partitions] }],
  }
  const answer = await cluster.askCoordinator(
    { kind: 'group', key: groupId },
    // Stable: a transaction that is about to commit a place is waited for.
    (connection) => cluster.kafka.offsetFetchV9.api.async(connection, [group], true),
    { action: `read the place of group "${groupId}"`, signal: of.signal },
  )
  const found = new Map<number, StoredProgress>()
  for (const { partitions: places } of answer.groups[0]?.topics ?? []) {
    for (const { partitionIndex, committedOffset, metadata } of places) {
      if (committedOffset < 0n) continue
      found.set(partitionIndex, unpackProgress({ offset: Number(committedOffset), metadata: metadata ?? null }))
    }
  }
  return found
}

/** One commit, not repeated; rejects with the library's error. */
export async function commitProgress(
  cluster: Cluster,
  committer: Committer,
  places: { readonly topic: string; readonly progress: ReadonlyMap<number, StoredProgress> },
): Promise<void> {
  const { groupId, memberId, epoch } = committer
  const topics = [{ name: places.topic, partitions: commitPartitions(places.progress) }]
  await cluster.askCoordinatorOnce({ kind: 'group', key: groupId }, (connection) =>
    cluster.kafka.offsetCommitV9.api.async(connection, groupId, epoch, memberId, null, topics),
  )
}

/** As the protocol wants it, in a transaction too. */
export function commitPartitions(progress: ReadonlyMap<number, StoredProgress>) {
  return [...progress].map(([partition, stored]) => {
    const { offset, metadata } = packProgress(stored)
    return {
      partitionIndex: partition,
      committedOffset: BigInt(offset),
      committedLeaderEpoch: -1,
      committedMetadata: metadata,
    }
  })
}
