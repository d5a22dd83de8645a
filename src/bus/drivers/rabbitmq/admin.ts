import { SkeinError, UnsupportedError } from '../../../core/index.ts'
import type { Admin, Lag, TopicDescription, TopicSpec } from '../../index.ts'
import type { TopicSettings } from '../../kit/index.ts'
import type { DeadLetters } from './dead-letters.ts'
import type { GroupLag } from './group-lag.ts'
import type { StreamPlaces } from './stream-places.ts'
import type { OpenTopic, Topics } from './topics.ts'

export interface RabbitmqAdminParts {
  readonly topics: Topics
  readonly places: StreamPlaces
  readonly deadLetters: DeadLetters
  readonly groupLag: GroupLag
  /** Closes readers and writers of a topic that is about to go. */
  readonly closeUsers: (topic: string) => Promise<void>
}

export class RabbitmqAdmin implements Admin {
  readonly #parts: RabbitmqAdminParts

  constructor(parts: RabbitmqAdminParts) {
    this.#parts = parts
  }

  listTopics(): Promise<readonly string[]> {
    return this.#parts.topics.names()
  }

  async describeTopic(name: string): Promise<TopicDescription> {
    const topic = await this.#parts.topics.get(name)
    return { spec: specOf(topic.settings), capabilities: topic.capabilities, partitions: await this.#partitions(topic) }
  }

  /** AMQP 0-9-1 does not tell how many bytes a stream has: they are given as 0. */
  #partitions(topic: OpenTopic): Promise<TopicDescription['partitions']> {
    const partitions = Array.from({ length: topic.settings.partitions }, (_, partition) => partition)
    return Promise.all(
      partitions.map(async (partition) => {
        const ends = topic.keeping === 'log' ? await this.#parts.places.endsOf(topic, partition) : { start: 0, end: 0 }
        return {
          partition,
          start: { partition, sequence: ends.start },
          end: { partition, sequence: ends.end },
          bytes: 0,
        }
      }),
    )
  }

  async deleteTopic(name: string): Promise<void> {
    const { topics, closeUsers } = this.#parts
    await topics.get(name)
    await closeUsers(name)
    await topics.delete(name)
  }

  listGroups(topic: string): Promise<readonly string[]> {
    return this.#parts.topics.groups(topic)
  }

  async deleteGroup(topic: string, group: string): Promise<void> {
    const { topics, groupLag } = this.#parts
    if (await groupLag.hasReaders(topic, group)) {
      throw new SkeinError(
        'bad-argument',
        `Cannot delete group "${group}" of "${topic}": it has readers; close them first`,
        { details: { topic, group } },
      )
    }
    await topics.deleteGroup(topic, group)
  }

  async lag(name: string, group?: string): Promise<readonly Lag[]> {
    const topic = await this.#requireKept(name, 'lag')
    const known = await this.#parts.topics.groups(name)
    if (group !== undefined && !known.includes(group)) throw noGroup(name, group)
    const groups = group === undefined ? known : [group]
    return (await Promise.all(groups.map((one) => this.#parts.groupLag.of(topic, one)))).flat()
  }

  async replayDeadLetters(
    name: string,
    options: { readonly group?: string; readonly max?: number } = {},
  ): Promise<number> {
    const topic = await this.#requireKept(name, 'dead letters')
    return this.#parts.deadLetters.replay(topic, { group: options.group, max: options.max ?? Number.MAX_SAFE_INTEGER })
  }

  async #requireKept(name: string, feature: string): Promise<OpenTopic> {
    const topic = await this.#parts.topics.get(name)
    if (topic.keeping !== 'ephemeral') return topic
    throw new UnsupportedError(feature, `topic "${name}" is ephemeral and stores nothing`)
  }
}

function noGroup(topic: string, group: string): SkeinError {
  return new SkeinError('not-found', `Cannot tell the lag of group "${group}" of "${topic}": it has never read`, {
    details: { topic, group },
  })
}

function specOf(settings: TopicSettings): TopicSpec {
  const { compaction, ttlMs, ...rest } = settings
  return { ...rest, ...(compaction && { compaction }), ...(ttlMs !== undefined && { ttlMs }) }
}
