import { type Clock, nearest, SkeinError, UnsupportedError } from '../../../core/index.ts'
import type { Admin, Lag, TopicDescription, TopicSpec } from '../../index.ts'
import { type TopicSettings, topicOfDeadLetters } from '../../kit/index.ts'
import type { DeadLetters } from './dead-letters.ts'
import type { GroupRegistry } from './group-registry.ts'
import { lagOf } from './lag.ts'
import type { LogTopic } from './topic.ts'
import type { Topic, TopicStore } from './topic-store.ts'

export interface AdminParts {
  readonly topics: TopicStore
  readonly groups: GroupRegistry
  readonly deadLetters: DeadLetters
  readonly clock: Clock
  /** Closes readers and writers of a topic that is about to go. */
  readonly closeUsers: (topic: string) => Promise<void>
}

export class EmbeddedAdmin implements Admin {
  readonly #parts: AdminParts

  constructor(parts: AdminParts) {
    this.#parts = parts
  }

  async listTopics(): Promise<readonly string[]> {
    return this.#parts.topics.names()
  }

  async describeTopic(name: string): Promise<TopicDescription> {
    const topic = this.#parts.topics.get(name)
    const replayed = this.#parts.deadLetters.replayed(name)
    return {
      spec: specOf(topic.settings),
      capabilities: topic.capabilities,
      partitions: describePartitions(topic),
      ...(topicOfDeadLetters(name) !== undefined && { replayed }),
    }
  }

  async deleteTopic(name: string): Promise<void> {
    const { topics, groups, deadLetters, closeUsers } = this.#parts
    topics.get(name)
    await closeUsers(name)
    groups.state.forget(name)
    await topics.delete(name)
    // After the topic: were they forgotten first, a crash would have its letters replayed again.
    await deadLetters.forget(name)
    await groups.state.flush()
  }

  async listGroups(topic: string): Promise<readonly string[]> {
    this.#parts.topics.get(topic)
    return this.#parts.groups.names(topic)
  }

  async deleteGroup(topic: string, group: string): Promise<void> {
    this.#parts.topics.get(topic)
    await this.#parts.groups.forget(topic, group)
  }

  async lag(name: string, group?: string): Promise<readonly Lag[]> {
    const topic = this.#requireLog(name, 'lag')
    const all = this.#parts.groups.names(name)
    if (group !== undefined && !all.includes(group)) throw noGroup(name, group, all)
    const names = group === undefined ? all : [group]
    return (await Promise.all(names.map((one) => this.#lagOfGroup(topic, one)))).flat()
  }

  #lagOfGroup(topic: LogTopic, name: string): Promise<Lag[]> {
    const { groups, clock } = this.#parts
    const group = groups.open(topic, name)
    const committed = group.committed()
    void groups.release(group)
    return Promise.all(
      topic.partitions.map((partition) =>
        lagOf(partition, { committed: committed[partition.index]!, group: name, clock }),
      ),
    )
  }

  async replayDeadLetters(
    name: string,
    options: { readonly group?: string; readonly max?: number } = {},
  ): Promise<number> {
    const topic = this.#requireLog(name, 'dead letters')
    return this.#parts.deadLetters.replay(topic, { group: options.group, max: options.max ?? Number.MAX_SAFE_INTEGER })
  }

  #requireLog(name: string, feature: string): LogTopic {
    const topic = this.#parts.topics.get(name)
    if (topic.kind === 'log') return topic
    throw new UnsupportedError(feature, `topic "${name}" is ephemeral and stores nothing`)
  }
}

function noGroup(topic: string, group: string, known: readonly string[]): SkeinError {
  const near = nearest(group, known)
  const hint = near === undefined ? '' : `; did you mean "${near}"?`
  return new SkeinError(
    'not-found',
    `Cannot say the lag of group "${group}" on "${topic}": it has never read there${hint}`,
    { details: { topic, group, ...(near !== undefined && { nearest: near }) } },
  )
}

function specOf(settings: TopicSettings): TopicSpec {
  const { compaction, ttlMs, ...rest } = settings
  return { ...rest, ...(compaction && { compaction }), ...(ttlMs !== undefined && { ttlMs }) }
}

function describePartitions(topic: Topic): TopicDescription['partitions'] {
  if (topic.kind === 'ephemeral') {
    const end = { partition: 0, sequence: topic.nextSequence }
    return [{ partition: 0, start: end, end, bytes: 0 }]
  }
  return topic.partitions.map(({ index, log }) => {
    const { startOffset, endOffset, sizeBytes } = log.status()
    const start = { partition: index, sequence: startOffset }
    return { partition: index, start, end: { partition: index, sequence: endOffset }, bytes: sizeBytes }
  })
}
