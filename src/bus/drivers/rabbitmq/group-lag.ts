import type { Lag } from '../../index.ts'
import type { StoredProgress } from '../../kit/index.ts'
import type { Link } from './link.ts'
import type { Names } from './names.ts'
import { Place, type PlaceParts } from './place.ts'
import type { StreamPlaces } from './stream-places.ts'
import type { OpenTopic, Topics } from './topics.ts'
import { withConfirmChannel } from './with-channel.ts'
import type { WorkGroups } from './work-groups.ts'

const ANSWER_WITHIN_MS = 2_000

export interface GroupLagParts {
  readonly link: Link
  readonly names: Names
  readonly places: StreamPlaces
  readonly topics: Topics
  readonly workGroups: WorkGroups
  readonly place: Omit<PlaceParts, 'queue' | 'what'>
  /** What readers of this process have: lag per partition. */
  readonly local: (topic: string, group: string) => Promise<readonly Lag[]>
}

/** How far groups are behind, whoever reads them now: this process, nobody, or somebody else. */
export class GroupLag {
  readonly #parts: GroupLagParts

  constructor(parts: GroupLagParts) {
    this.#parts = parts
  }

  /** Partitions that a reader of another process has are left out: their place is in its hand. */
  async of(topic: OpenTopic, group: string): Promise<readonly Lag[]> {
    const local = await this.#parts.local(topic.settings.name, group)
    const known = new Map(local.map((lag) => [lag.partition, lag]))
    if (topic.keeping === 'work') {
      const waiting = await this.#parts.workGroups.lag(topic.settings, group)
      return waiting.map((lag) => known.get(lag.partition) ?? lag)
    }
    const partitions = Array.from({ length: topic.settings.partitions }, (_, partition) => partition)
    const lags = await Promise.all(
      partitions.map((partition) => known.get(partition) ?? this.#look(topic, group, partition)),
    )
    return lags.filter((lag) => lag !== undefined)
  }

  /** Takes the place for a moment, which only works while nobody has it. */
  async #look(topic: OpenTopic, group: string, partition: number): Promise<Lag | undefined> {
    const { topics, place, places } = this.#parts
    const held = Promise.withResolvers<StoredProgress | undefined>()
    const look = new Place<StoredProgress>(
      {
        ...place,
        queue: topics.placeName(topic.settings.name, partition, group),
        what: `group "${group}" in partition ${partition} of "${topic.settings.name}"`,
      },
      () => {
        throw new Error('a look saves nothing')
      },
      { onHeld: held.resolve, onLost: () => {}, onDead: () => {}, onFailed: held.reject },
    )
    const stop = new AbortController()
    const late = place.clock.sleep(ANSWER_WITHIN_MS, { signal: stop.signal }).then(() => 'taken' as const)
    late.catch(() => {})
    try {
      const stored = await Promise.race([held.promise, late])
      if (stored === 'taken') return undefined
      return await places.lag(topic, { partition, committed: committedOf(stored), group })
    } finally {
      stop.abort()
      await look.release()
    }
  }

  /** The exchange over which the readers of a group hear of each other sends back what nobody hears. */
  hasReaders(topic: string, group: string): Promise<boolean> {
    const exchange = this.#parts.names.members(topic, group)
    return withConfirmChannel(this.#parts.link, `Cannot look for readers of group "${group}"`, async (channel) => {
      let isHeard = true
      channel.on('return', () => {
        isHeard = false
      })
      await channel.assertExchange(exchange, 'fanout', { durable: true })
      channel.publish(exchange, '', Buffer.from(JSON.stringify({ kind: 'ping' })), { mandatory: true })
      await channel.waitForConfirms()
      return isHeard
    })
  }
}

function committedOf(stored: StoredProgress | undefined): number {
  if (stored === undefined) return 0
  return stored.held.reduce((least, [offset]) => Math.min(least, offset), stored.settled)
}
