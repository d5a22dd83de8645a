import { SkeinError, UnsupportedError } from '../../../core/index.ts'
import type { Admin, Lag, TopicDescription, TopicSpec } from '../../index.ts'
import type { TopicSettings } from '../../kit/index.ts'
import type { Connection } from './connection.ts'
import type { DeadLetters } from './dead-letters.ts'
import { MEMBERS, type MembersRecord, type PartitionRecord, partitionRecord } from './group-records.ts'
import { GroupStore } from './group-store.ts'
import { lagOfPartition } from './lag.ts'
import type { LogTopic } from './log-topic.ts'
import { streamEnds } from './start-sequence.ts'
import type { TopicStore } from './topic-store.ts'

export interface NatsAdminParts {
  readonly topics: TopicStore
  readonly connection: Connection
  readonly deadLetters: DeadLetters
  /** Closes readers and writers of a topic that is about to go. */
  readonly closeUsers: (topic: string) => Promise<void>
  /** What this bus's own readers of the group say. */
  readonly liveLag: (topic: string, group: string) => Promise<readonly Lag[]>
}

export class NatsAdmin implements Admin {
  readonly #parts: NatsAdminParts

  constructor(parts: NatsAdminParts) {
    this.#parts = parts
  }

  async listTopics(): Promise<readonly string[]> {
    return this.#parts.topics.list()
  }

  async describeTopic(name: string): Promise<TopicDescription> {
    const topic = await this.#parts.topics.find(name)
    const { settings, capabilities } = topic
    const partitions = topic.kind === 'core' ? [NOTHING_KEPT] : await this.#describe(topic)
    const replayed = topic.kind === 'log' ? await this.#parts.deadLetters.replayed(topic) : undefined
    return { spec: specOf(settings), capabilities, partitions, ...(replayed && { replayed }) }
  }

  #describe({ names, settings }: LogTopic): Promise<TopicDescription['partitions']> {
    const partitions = Array.from({ length: settings.partitions }, (_, partition) => partition)
    return Promise.all(
      partitions.map(async (partition) => {
        const { first, end, bytes } = await streamEnds(this.#parts.connection, names.stream(partition))
        const start = { partition, sequence: Math.min(first, end) - 1 }
        return { partition, start, end: { partition, sequence: end - 1 }, bytes }
      }),
    )
  }

  async deleteTopic(name: string): Promise<void> {
    await this.#parts.closeUsers(name)
    await this.#parts.topics.delete(name)
  }

  async listGroups(name: string): Promise<readonly string[]> {
    const topic = await this.#parts.topics.find(name)
    return topic.kind === 'core' ? [] : new GroupStore(this.#parts.connection, topic).groups()
  }

  async deleteGroup(name: string, group: string): Promise<void> {
    const topic = await this.#requireLog(name, 'groups')
    const store = new GroupStore(this.#parts.connection, topic)
    const { value } = await store.read<MembersRecord>(group, MEMBERS)
    if (value === undefined) return
    if (value.members.length > 0) {
      throw new SkeinError(
        'bad-argument',
        `Cannot delete group "${group}" of "${name}": it has ${value.members.length} readers; close them first`,
        { details: { topic: name, group } },
      )
    }
    await store.forget(group)
  }

  async lag(name: string, group?: string): Promise<readonly Lag[]> {
    const topic = await this.#requireLog(name, 'lag')
    const names = group === undefined ? await this.listGroups(name) : [group]
    return (await Promise.all(names.map((one) => this.#lagOfGroup(topic, one)))).flat()
  }

  /** A reader here knows best what concerns its group; for the other partitions the stored place counts. */
  async #lagOfGroup(topic: LogTopic, group: string): Promise<Lag[]> {
    const { connection, liveLag } = this.#parts
    const live = await liveLag(topic.settings.name, group)
    const store = new GroupStore(connection, topic)
    const partitions = Array.from({ length: topic.settings.partitions }, (_, partition) => partition)
    return Promise.all(
      partitions.map(async (partition) => {
        const known = live.find((lag) => lag.partition === partition)
        if (known !== undefined) return known
        const { value } = await store.read<PartitionRecord>(group, partitionRecord(partition))
        const progress = value?.progress
        const settled = progress?.settled ?? 0
        const committed = (progress?.held ?? []).reduce((least, [offset]) => Math.min(least, offset), settled)
        return lagOfPartition(connection, { topic, group, partition, committed, isCaughtUp: () => false })
      }),
    )
  }

  async replayDeadLetters(
    name: string,
    options: { readonly group?: string; readonly max?: number } = {},
  ): Promise<number> {
    const topic = await this.#requireLog(name, 'dead letters')
    const max = options.max ?? Number.MAX_SAFE_INTEGER
    return this.#parts.deadLetters.replay(topic, { group: options.group, max })
  }

  async #requireLog(name: string, feature: string): Promise<LogTopic> {
    const topic = await this.#parts.topics.find(name)
    if (topic.kind === 'log') return topic
    throw new UnsupportedError(feature, `topic "${name}" is ephemeral and stores nothing`)
  }
}

const START = { partition: 0, sequence: 0 }
const NOTHING_KEPT = { partition: 0, start: START, end: START, bytes: 0 }

function specOf(settings: TopicSettings): TopicSpec {
  const { compaction, ttlMs, ...rest } = settings
  return { ...rest, ...(compaction && { compaction }), ...(ttlMs !== undefined && { ttlMs }) }
}
