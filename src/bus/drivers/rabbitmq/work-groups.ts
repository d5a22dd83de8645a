import type { Channel } from 'amqplib'
import { type Clock, type Random, SkeinError } from '../../../core/index.ts'
import type { Lag } from '../../index.ts'
import type { TopicSettings } from '../../kit/index.ts'
import { bindingOf } from './binding.ts'
import { declareQuorumQueue } from './declare.ts'
import type { Link } from './link.ts'
import type { Names } from './names.ts'
import { NAMES_SYNCED_WITHIN_MS } from './names-synced.ts'
import type { TopicRegistry, WorkGroup } from './topic-registry.ts'
import { withChannel } from './with-channel.ts'

export interface WorkGroupsParts {
  readonly link: Link
  readonly names: Names
  readonly registry: TopicRegistry
  readonly clock: Clock
  readonly random: Random
  readonly members: number
  readonly hasDeliveryLimit: boolean
}

/** The queues of groups in topics whose messages are work: made before anything is routed to them, and known to everybody. */
export class WorkGroups {
  readonly #parts: WorkGroupsParts

  constructor(parts: WorkGroupsParts) {
    this.#parts = parts
  }

  /**
   * Makes the queues of a group, unless it has some. Resolves once whatever is written comes to it, to the names of its
   * queues. Rejects with `bad-argument` when the group was made with other subjects.
   */
  async enrol(
    settings: TopicSettings,
    group: string,
    subjects: readonly string[] | undefined,
  ): Promise<(partition: number) => string> {
    const { registry } = this.#parts
    const { name } = settings
    const wanted = [...(subjects ?? [])].sort()
    await registry.refresh()
    const known = registry.find(name)?.work.get(group) ?? (await this.#make(settings, group, wanted))
    if (known.subjects.join(' ') !== wanted.join(' ')) throw otherSubjects(name, group, { known, wanted })
    const queueOf = (partition: number) => this.#parts.names.work(name, partition, { group, id: known.id })
    await this.#bind(settings, known, queueOf)
    return queueOf
  }

  async #make(settings: TopicSettings, group: string, subjects: readonly string[]): Promise<WorkGroup> {
    const { registry, names, random, clock } = this.#parts
    const { name, partitions } = settings
    for (;;) {
      const id = Buffer.from(random.bytes(6)).toString('base64url')
      const queues = Array.from({ length: partitions }, (_, partition) => names.work(name, partition, { group, id }))
      const isSynced = await this.#declare(settings, queues)
      if (!isSynced) continue
      await registry.addGroup(name, group, { id, subjects })
      const known = registry.find(name)?.work.get(group)
      if (known?.id !== id) await this.#delete(name, queues)
      if (known !== undefined) return known
      // Somebody deleted it in between.
      await clock.sleep(0)
    }
  }

  /**
   * False when the connection broke before the broker had synced the names of the queues: then they may be names and nothing
   * else, and others are made.
   */
  async #declare(settings: TopicSettings, queues: readonly string[]): Promise<boolean> {
    const { link, clock, members, hasDeliveryLimit } = this.#parts
    const { name, retention } = settings
    const more = retention.bytes === undefined ? {} : fullAt(retention.bytes)
    const connection = await link.connection()
    await withChannel(link, `Cannot make the queues of a group of "${name}"`, async (channel) => {
      for (const queue of queues) await declareQuorumQueue(channel, queue, { members, hasDeliveryLimit, more })
    })
    await clock.sleep(NAMES_SYNCED_WITHIN_MS)
    if (!connection.lost.aborted) return true
    await this.#delete(name, queues).catch(() => {})
    return false
  }

  /** Whoever made them may have died before this. */
  #bind(settings: TopicSettings, { subjects }: WorkGroup, queueOf: (partition: number) => string): Promise<void> {
    const { link, names } = this.#parts
    const { name, partitions } = settings
    const exchange = names.exchange(name)
    const bindings = subjects.length === 0 ? ['#'] : subjects.map(bindingOf)
    return withChannel(link, `Cannot bind the queues of a group of "${name}"`, async (channel) => {
      for (let partition = 0; partition < partitions; partition += 1) {
        for (const binding of bindings) await channel.bindQueue(queueOf(partition), exchange, `${partition}.${binding}`)
      }
    })
  }

  #delete(topic: string, queues: readonly string[]): Promise<void> {
    return withChannel(this.#parts.link, `Cannot delete queues of "${topic}"`, async (channel) => {
      for (const queue of queues) await channel.deleteQueue(queue)
    })
  }

  /** What waits in the queues of a group; what a reader has in hand is told by that reader alone. */
  async lag(settings: TopicSettings, group: string): Promise<readonly Lag[]> {
    const { link, names, registry } = this.#parts
    const { name, partitions } = settings
    const known = registry.find(name)?.work.get(group)
    if (known === undefined) return []
    return withChannel(link, `Cannot tell the lag of "${name}"`, async (channel: Channel) => {
      const lags: Lag[] = []
      for (let partition = 0; partition < partitions; partition += 1) {
        const { messageCount } = await channel.checkQueue(names.work(name, partition, { group, id: known.id }))
        lags.push({ topic: name, group, partition, messages: messageCount, seconds: undefined })
      }
      return lags
    })
  }
}

/** Work that was not done is never dropped: a full queue refuses. */
function fullAt(bytes: number): Record<string, unknown> {
  return { 'x-max-length-bytes': bytes, 'x-overflow': 'reject-publish' }
}

function otherSubjects(
  topic: string,
  group: string,
  of: { readonly known: WorkGroup; readonly wanted: readonly string[] },
): SkeinError {
  const text = (subjects: readonly string[]) => (subjects.length === 0 ? 'all subjects' : subjects.join(', '))
  return new SkeinError(
    'bad-argument',
    `Cannot read "${topic}" as group "${group}" with ${text(of.wanted)}: its queues take ${text(of.known.subjects)}; use the same, ` +
      'another group, or delete this one',
    { details: { topic, group } },
  )
}
