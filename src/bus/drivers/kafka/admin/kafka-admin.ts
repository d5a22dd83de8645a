import { SkeinError } from '../../../../core/index.ts'
import type { Admin, Lag, TopicDescription, TopicHealth, TopicSpec } from '../../../index.ts'
import { type TopicSettings, topicOfDeadLetters } from '../../../kit/index.ts'
import type { Cluster } from '../cluster.ts'
import { type DeadLetters, replayedGroup } from '../group/dead-letters.ts'
import { groupId, groupName } from '../group/group-id.ts'
import { fetchProgress } from '../group/group-offsets.ts'
import { KAFKA, kafkaCode, skeinError } from '../kafka-error.ts'
import { lagOf } from '../read/lag.ts'
import { listOffsets } from '../read/list-offsets.ts'
import type { KafkaTopic } from '../topic/kafka-topic.ts'
import type { TopicStore } from '../topic/topic-store.ts'
import { ClientQuotas } from './client-quotas.ts'
import { topicHealth } from './topic-health.ts'

const GROUP_GONE_MS = 10_000

export interface KafkaAdminParts {
  readonly cluster: Cluster
  readonly topics: TopicStore
  readonly deadLetters: DeadLetters
  /** Closes readers and writers of a topic that is about to go. */
  readonly closeUsers: (topic: string) => Promise<void>
}

export class KafkaAdmin implements Admin {
  readonly quotas: ClientQuotas
  readonly #parts: KafkaAdminParts

  constructor(parts: KafkaAdminParts) {
    this.#parts = parts
    this.quotas = new ClientQuotas(parts.cluster)
  }

  listTopics(): Promise<readonly string[]> {
    return this.#parts.topics.names()
  }

  async describeTopic(name: string): Promise<TopicDescription> {
    const { cluster, topics } = this.#parts
    const topic = await topics.describe(name)
    const [starts, ends, sizes] = await Promise.all([
      listOffsets(cluster, { topic: name, at: 'earliest' }),
      listOffsets(cluster, { topic: name, at: 'latest' }),
      this.#sizes(topic),
    ])
    const partitions = Array.from({ length: topic.partitions }, (_, partition) => ({
      partition,
      start: { partition, sequence: starts.get(partition) ?? 0 },
      end: { partition, sequence: ends.get(partition) ?? 0 },
      bytes: sizes.get(partition) ?? 0,
    }))
    const replayed = topicOfDeadLetters(name) === undefined ? undefined : await this.#replayed(topic)
    return { spec: specOf(topic.settings), capabilities: topic.capabilities, partitions, ...(replayed && { replayed }) }
  }

  async #replayed(letters: KafkaTopic): Promise<NonNullable<TopicDescription['replayed']>> {
    const { cluster } = this.#parts
    const { name: topic } = letters
    const partitions = Array.from({ length: letters.partitions }, (_, partition) => partition)
    const found = (await this.#groupIds()).map(async (groupId) => {
      const group = replayedGroup(topic, groupId)
      if (group === undefined) return []
      const places = await fetchProgress(cluster, { groupId, topic, partitions })
      return [...places].map(([partition, { settled }]) => ({ group, before: { partition, sequence: settled } }))
    })
    return (await Promise.all(found)).flat()
  }

  async health(name: string): Promise<TopicHealth> {
    const { cluster, topics } = this.#parts
    await topics.describe(name)
    const info = await cluster.retrying(`look at topic "${name}"`, () => cluster.topic(name, { fresh: true }))
    return topicHealth(name, info ?? { id: '', partitions: [] }, cluster.brokers)
  }

  /** On the leaders' disks. */
  #sizes(topic: KafkaTopic): Promise<ReadonlyMap<number, number>> {
    const { cluster } = this.#parts
    const { name } = topic
    return cluster.retrying(`measure topic "${name}"`, async () => {
      const info = await cluster.topic(name, { fresh: true })
      const leaders = info?.partitions.map(({ leader }, partition) => ({ leader, partition })) ?? []
      const sizes = new Map<number, number>()
      for (const [leader, own] of Map.groupBy(leaders, (one) => one.leader)) {
        const asked = [{ name, partitions: own.map(({ partition }) => partition) }]
        const answer = await cluster.ask(leader, (connection) =>
          cluster.kafka.describeLogDirsV4.api.async(connection, asked),
        )
        const found = answer.results.flatMap(({ topics }) => topics.flatMap(({ partitions }) => partitions))
        for (const { partitionIndex, partitionSize } of found) sizes.set(partitionIndex, Number(partitionSize))
      }
      return sizes
    })
  }

  async deleteTopic(name: string): Promise<void> {
    const { topics, closeUsers } = this.#parts
    await topics.describe(name)
    await closeUsers(name)
    for (const group of await this.listGroups(name)) {
      // A group that is read elsewhere goes with the topic: its places are Kafka's to forget.
      await this.deleteGroup(name, group).catch(() => {})
    }
    await topics.delete(name)
  }

  async listGroups(topic: string): Promise<readonly string[]> {
    await this.#parts.topics.describe(topic)
    const names = (await this.#groupIds()).map((id) => groupName(topic, id))
    return [...new Set(names.filter((name) => name !== undefined))].sort()
  }

  async #groupIds(): Promise<string[]> {
    const { cluster } = this.#parts
    await cluster.refresh([])
    const found = await Promise.all(
      [...cluster.brokers.keys()].map((node) =>
        cluster.retrying('list the groups', () =>
          cluster.ask(node, (connection) => cluster.kafka.listGroupsV5.api.async(connection, [], [])),
        ),
      ),
    )
    return found.flatMap(({ groups }) => groups.map((group) => group.groupId))
  }

  async deleteGroup(topic: string, group: string): Promise<void> {
    const { cluster } = this.#parts
    const id = groupId(topic, group)
    const action = `delete group "${group}" of "${topic}"`
    try {
      await cluster.askCoordinator(
        { kind: 'group', key: id },
        (connection) => cluster.kafka.deleteGroupsV2.api.async(connection, [id]),
        { action, withinMs: GROUP_GONE_MS },
      )
    } catch (error) {
      if (kafkaCode(error) === KAFKA.GROUP_ID_NOT_FOUND) return
      if (kafkaCode(error) !== KAFKA.NON_EMPTY_GROUP) throw skeinError(error, action)
      throw new SkeinError('bad-argument', `Cannot ${action}: it is being read; close its readers first`, {
        cause: error,
        details: { topic, group },
      })
    }
  }

  async lag(topic: string, group?: string): Promise<readonly Lag[]> {
    await this.#parts.topics.describe(topic)
    const names = group === undefined ? await this.listGroups(topic) : [group]
    return (await Promise.all(names.map((name) => this.#lagOfGroup(topic, name)))).flat()
  }

  async #lagOfGroup(topic: string, group: string): Promise<Lag[]> {
    const { cluster } = this.#parts
    const starts = await listOffsets(cluster, { topic, at: 'earliest' })
    const partitions = [...starts.keys()]
    const stored = await fetchProgress(cluster, { groupId: groupId(topic, group), topic, partitions })
    return Promise.all(
      partitions.map((partition) => {
        const progress = stored.get(partition)
        const committed =
          progress?.held.reduce((least, [offset]) => Math.min(least, offset), progress.settled) ??
          starts.get(partition)!
        return lagOf(cluster, { topic, partition, committed, group })
      }),
    )
  }

  async replayDeadLetters(
    name: string,
    options: { readonly group?: string; readonly max?: number } = {},
  ): Promise<number> {
    const { topics, deadLetters } = this.#parts
    const topic = await topics.describe(name)
    return deadLetters.replay(topic, { group: options.group, max: options.max ?? Number.MAX_SAFE_INTEGER })
  }
}

function specOf(settings: TopicSettings): TopicSpec {
  const { compaction, ttlMs, ...rest } = settings
  return { ...rest, ...(compaction && { compaction }), ...(ttlMs !== undefined && { ttlMs }) }
}
