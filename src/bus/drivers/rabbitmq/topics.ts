import type { Channel } from 'amqplib'
import { type Clock, SkeinError, UnsupportedError } from '../../../core/index.ts'
import type { Capabilities, TopicSpec } from '../../index.ts'
import { checkSameTopic, type TopicSettings } from '../../kit/index.ts'
import { declareStream } from './declare.ts'
import type { Link } from './link.ts'
import type { Names } from './names.ts'
import { NAMES_SYNCED_WITHIN_MS } from './names-synced.ts'
import { isAtLeast, type ServerFacts } from './server-facts.ts'
import { type ClusterFacts, capabilitiesOf, type Keeping, planTopic } from './topic-plan.ts'
import type { KnownTopic, TopicRegistry } from './topic-registry.ts'
import { withChannel } from './with-channel.ts'

/** A topic that readers and writers can use. */
export interface OpenTopic {
  readonly settings: TopicSettings
  readonly keeping: Keeping
  readonly capabilities: Capabilities
  /** Its durability rests on the operator's word. */
  readonly isAsserted: boolean
}

export interface TopicsParts {
  readonly link: Link
  readonly names: Names
  readonly registry: TopicRegistry
  readonly cluster: ClusterFacts
  readonly server: ServerFacts
  readonly clock: Clock
}

/** Makes topics on the broker, and knows those there are. */
export class Topics {
  readonly #parts: TopicsParts

  constructor(parts: TopicsParts) {
    this.#parts = parts
  }

  /** Creates a topic, or checks that it is what is asked for and that all of it is there. */
  async open(spec: TopicSpec): Promise<OpenTopic> {
    const { registry, cluster, clock } = this.#parts
    const plan = planTopic(spec, cluster)
    this.#checkVersion(plan.keeping)
    await registry.refresh()
    if (registry.find(spec.name) === undefined) await registry.addTopic(plan.settings, plan.keeping)
    const known = registry.find(spec.name)
    if (known === undefined) throw notFound(spec.name)
    checkSameTopic(known.settings, spec)
    if (known.isMade) await this.#checkThere(known)
    await this.#declare(known)
    if (!known.isMade) {
      if (known.keeping === 'log') await clock.sleep(NAMES_SYNCED_WITHIN_MS)
      await registry.noteMade(spec.name)
    }
    return this.#opened(known)
  }

  /** A stream that is made again in the place of one that is gone would hide what was lost with it. */
  async #checkThere({ settings, keeping }: KnownTopic): Promise<void> {
    const { link, names } = this.#parts
    if (keeping !== 'log') return
    for (let partition = 0; partition < settings.partitions; partition += 1) {
      const stream = names.stream(settings.name, partition)
      await withChannel(link, `Cannot open topic "${settings.name}"`, (channel) => channel.checkQueue(stream)).catch(
        (error: SkeinError) => {
          throw error.code === 'not-found' ? shrunk(settings, stream) : error
        },
      )
    }
  }

  #checkVersion(keeping: Keeping): void {
    const { version } = this.#parts.server
    if (keeping === 'ephemeral' || isAtLeast(version, 3, 9)) return
    throw new UnsupportedError('topics with a log', `the broker is RabbitMQ ${version}, and streams came with 3.9`)
  }

  async #declare({ settings, keeping }: KnownTopic): Promise<void> {
    const { link, names, cluster } = this.#parts
    const { name, partitions, retention } = settings
    const exchange = names.exchange(name)
    await withChannel(link, `Cannot open topic "${name}"`, async (channel) => {
      await channel.assertExchange(exchange, 'topic', { durable: true })
      if (keeping !== 'log') return
      for (let partition = 0; partition < partitions; partition += 1) {
        const stream = names.stream(name, partition)
        await declareStream(channel, stream, { members: cluster.members, retention })
        await channel.bindQueue(stream, exchange, `${partition}.#`)
      }
    })
  }

  #opened(known: KnownTopic): OpenTopic {
    const { cluster } = this.#parts
    const { settings, keeping } = known
    const capabilities = capabilitiesOf({ settings, keeping }, cluster)
    return { settings, keeping, capabilities, isAsserted: keeping !== 'ephemeral' && cluster.members > 1 }
  }

  /** Without asking the broker; undefined when it is not known here. */
  find(name: string): OpenTopic | undefined {
    const known = this.#parts.registry.find(name)
    return known && this.#opened(known)
  }

  /** Rejects with `not-found`. */
  async get(name: string): Promise<OpenTopic> {
    const found = this.find(name)
    if (found !== undefined) return found
    await this.#parts.registry.refresh()
    const known = this.find(name)
    if (known === undefined) throw notFound(name)
    return known
  }

  /** What the place of a group is called now. */
  placeName(name: string, partition: number, group: string): string {
    const { registry, names } = this.#parts
    return names.place(name, partition, { group, generation: registry.placeGeneration(name, group, partition) })
  }

  async groups(name: string): Promise<string[]> {
    await this.#parts.registry.refresh()
    const known = this.#parts.registry.find(name)
    if (known === undefined) throw notFound(name)
    return [...known.groups].sort()
  }

  async names(): Promise<string[]> {
    await this.#parts.registry.refresh()
    return this.#parts.registry.names()
  }

  /** The record goes first: whoever asks meanwhile is told that there is no such topic. */
  async delete(name: string): Promise<void> {
    const { link, registry } = this.#parts
    const groups = await this.groups(name)
    const { settings, keeping } = registry.find(name)!
    const queues = groups.flatMap((group) => this.#queuesOf({ settings, keeping }, group))
    await registry.removeTopic(name)
    await withChannel(link, `Cannot delete topic "${name}"`, async (channel) => {
      await channel.deleteExchange(this.#parts.names.exchange(name))
      for (let partition = 0; partition < settings.partitions; partition += 1) {
        if (keeping === 'log') await channel.deleteQueue(this.#parts.names.stream(name, partition))
      }
      await this.#deleteGroups(channel, { name, groups, queues })
    })
  }

  async deleteGroup(name: string, group: string): Promise<void> {
    const { link, registry } = this.#parts
    const queues = this.#queuesOf(await this.get(name), group)
    await registry.removeGroup(name, group)
    await withChannel(link, `Cannot delete group "${group}" of "${name}"`, (channel) =>
      this.#deleteGroups(channel, { name, groups: [group], queues }),
    )
  }

  /** What keeps a group: its places, or its work. */
  #queuesOf({ settings, keeping }: Pick<OpenTopic, 'settings' | 'keeping'>, group: string): string[] {
    const { names, registry } = this.#parts
    const { name } = settings
    const id = registry.find(name)?.work.get(group)?.id
    if (keeping === 'work' && id === undefined) return []
    return Array.from({ length: settings.partitions }, (_, partition) =>
      id === undefined ? this.placeName(name, partition, group) : names.work(name, partition, { group, id }),
    )
  }

  async #deleteGroups(
    channel: Channel,
    of: { readonly name: string; readonly groups: readonly string[]; readonly queues: readonly string[] },
  ): Promise<void> {
    for (const queue of of.queues) await channel.deleteQueue(queue)
    for (const group of of.groups) await channel.deleteExchange(this.#parts.names.members(of.name, group))
  }
}

function shrunk({ name, partitions }: TopicSettings, stream: string): SkeinError {
  return new SkeinError(
    'bad-argument',
    `Cannot open topic "${name}": it was made with ${partitions} partitions, and the stream ${stream} is gone behind Skein's back; ` +
      'delete the topic and make it anew',
    { details: { topic: name, setting: 'partitions', stream } },
  )
}

function notFound(topic: string): SkeinError {
  return new SkeinError('not-found', `Cannot use topic "${topic}": there is none of that name; open it first`, {
    details: { topic },
  })
}
