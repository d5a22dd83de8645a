import type { TopicSettings } from '../../kit/index.ts'
import { streamOffsetOf } from './amqp-delivery.ts'
import { declareStream } from './declare.ts'
import type { Link } from './link.ts'
import { readAllNow } from './stream-reading.ts'
import type { Keeping } from './topic-plan.ts'
import { withChannel, withConfirmChannel } from './with-channel.ts'

/** A group of a topic whose messages are work, and what its queues take. */
export interface WorkGroup {
  /** In the names of its queues. */
  readonly id: string
  /** Sorted; none for all. */
  readonly subjects: readonly string[]
}

/** One topic as everybody agrees it is. */
export interface KnownTopic {
  readonly settings: TopicSettings
  readonly keeping: Keeping
  /** Everything of it is on the broker since: what is missing was taken away. */
  readonly isMade: boolean
  readonly groups: ReadonlySet<string>
  /** The queues of its groups, where its messages are work. */
  readonly work: ReadonlyMap<string, WorkGroup>
  /** By group and partition: how many places before this one were dead. Mostly empty. */
  readonly places: ReadonlyMap<string, number>
}

type Entry =
  | { readonly kind: 'topic'; readonly name: string; readonly settings: TopicSettings; readonly keeping: Keeping }
  | { readonly kind: 'topic-made'; readonly name: string }
  | { readonly kind: 'topic-deleted'; readonly name: string }
  | { readonly kind: 'group'; readonly name: string; readonly group: string; readonly work?: WorkGroup }
  | { readonly kind: 'group-deleted'; readonly name: string; readonly group: string }
  | {
      readonly kind: 'place'
      readonly name: string
      readonly group: string
      readonly partition: number
      readonly generation: number
    }

interface MutableTopic extends KnownTopic {
  isMade: boolean
  readonly groups: Set<string>
  readonly work: Map<string, WorkGroup>
  readonly places: Map<string, number>
}

/**
 * Which topics and groups there are. AMQP 0-9-1 has no way to list queues or to read their settings, so that a stream of our
 * own keeps them: its order decides between two who make one topic at once.
 */
export class TopicRegistry {
  readonly #link: Link
  readonly #stream: string
  readonly #members: number
  readonly #topics = new Map<string, MutableTopic>()
  #next = 0
  #isDeclared = false
  #refreshing: Promise<void> | undefined
  /** Asked for while a refresh was under way: what was written meanwhile may not be in it. */
  #refreshAgain: Promise<void> | undefined

  constructor(link: Link, options: { readonly stream: string; readonly members: number }) {
    this.#link = link
    this.#stream = options.stream
    this.#members = options.members
  }

  /** As far as it is known here without asking. */
  find(name: string): KnownTopic | undefined {
    return this.#topics.get(name)
  }

  names(): string[] {
    return [...this.#topics.keys()].sort()
  }

  /** Learns what everybody has written up to now. */
  refresh(): Promise<void> {
    if (this.#refreshing === undefined) {
      this.#refreshing = this.#refresh().finally(() => {
        this.#refreshing = undefined
      })
      return this.#refreshing
    }
    this.#refreshAgain ??= this.#refreshing
      .catch(() => {})
      .then(() => {
        this.#refreshAgain = undefined
        return this.refresh()
      })
    return this.#refreshAgain
  }

  async #refresh(): Promise<void> {
    if (!this.#isDeclared) await this.#declare()
    for (const message of await readAllNow(this.#link, this.#stream, this.#next)) {
      this.#apply(JSON.parse(message.content.toString()) as Entry)
      this.#next = streamOffsetOf(message) + 1
    }
  }

  async #declare(): Promise<void> {
    await withChannel(this.#link, 'Cannot open the registry of topics', (channel) =>
      declareStream(channel, this.#stream, { members: this.#members, retention: {} }),
    )
    this.#isDeclared = true
  }

  /** The first who makes a topic decides what it is. */
  #apply(entry: Entry): void {
    const topic = this.#topics.get(entry.name)
    if (entry.kind === 'topic') {
      if (topic !== undefined) return
      this.#topics.set(entry.name, {
        settings: entry.settings,
        keeping: entry.keeping,
        isMade: false,
        groups: new Set(),
        work: new Map(),
        places: new Map(),
      })
    } else if (entry.kind === 'topic-deleted') this.#topics.delete(entry.name)
    else if (entry.kind === 'topic-made') this.#setMade(topic)
    else if (entry.kind === 'group') addGroup(topic, entry)
    else if (entry.kind === 'group-deleted') removeGroup(topic, entry.group)
    else topic?.places.set(placeKey(entry), Math.max(topic.places.get(placeKey(entry)) ?? 0, entry.generation))
  }

  async addTopic(settings: TopicSettings, keeping: Keeping): Promise<void> {
    await this.#append({ kind: 'topic', name: settings.name, settings, keeping })
  }

  #setMade(topic: MutableTopic | undefined): void {
    if (topic !== undefined) topic.isMade = true
  }

  async noteMade(name: string): Promise<void> {
    await this.#append({ kind: 'topic-made', name })
  }

  async removeTopic(name: string): Promise<void> {
    await this.#append({ kind: 'topic-deleted', name })
  }

  /** The first who adds it decides which queues it has. */
  async addGroup(name: string, group: string, work?: WorkGroup): Promise<void> {
    if (this.#topics.get(name)?.groups.has(group) === true) return
    await this.#append({ kind: 'group', name, group, ...(work && { work }) })
  }

  async removeGroup(name: string, group: string): Promise<void> {
    await this.#append({ kind: 'group-deleted', name, group })
  }

  placeGeneration(name: string, group: string, partition: number): number {
    return this.#topics.get(name)?.places.get(placeKey({ group, partition })) ?? 0
  }

  /** The place of that generation is dead: from now on everybody uses the next. */
  async renewPlace(
    name: string,
    of: { readonly group: string; readonly partition: number; readonly generation: number },
  ) {
    await this.refresh()
    if (this.placeGeneration(name, of.group, of.partition) > of.generation) return
    await this.#append({ kind: 'place', name, ...of, generation: of.generation + 1 })
  }

  /** Resolves once the entry is stored and this registry knows everything up to it. */
  async #append(entry: Entry): Promise<void> {
    await withConfirmChannel(this.#link, `Cannot note ${entry.kind} "${entry.name}"`, async (channel) => {
      // A broker that has just begun again confirms what is for a stream that is still to come, and drops it.
      await channel.checkQueue(this.#stream)
      channel.sendToQueue(this.#stream, Buffer.from(JSON.stringify(entry)), { persistent: true })
      await channel.waitForConfirms()
    })
    await this.refresh()
  }
}

function addGroup(topic: MutableTopic | undefined, entry: { readonly group: string; readonly work?: WorkGroup }): void {
  const { group, work } = entry
  topic?.groups.add(group)
  if (work !== undefined && topic?.work.has(group) === false) topic.work.set(group, work)
}

function removeGroup(topic: MutableTopic | undefined, group: string): void {
  topic?.groups.delete(group)
  topic?.work.delete(group)
}

function placeKey({ group, partition }: { readonly group: string; readonly partition: number }): string {
  return `${partition} ${group}`
}
