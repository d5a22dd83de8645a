import { type Disk, nearest, SkeinError } from '../../../core/index.ts'
import { openLog } from '../../../log/index.ts'
import type { Capabilities, Durability, TopicSpec } from '../../index.ts'
import { checkOneMachine, checkSameTopic, IdMemory, resolveTopic, type TopicSettings } from '../../kit/index.ts'
import { EphemeralTopic } from './ephemeral-topic.ts'
import type { EmbeddedBusOptions } from './options.ts'
import { Partition } from './partition.ts'
import type { RecallStore } from './recall-store.ts'
import { removeTree } from './remove-tree.ts'
import type { StateMap } from './state-map.ts'
import { Tail } from './tail.ts'
import { grantDurability, type LogTopic, logCapabilities } from './topic.ts'

export type Topic = LogTopic | EphemeralTopic

/** What is stored of a topic. Its directory has a number: a topic deleted and made again begins anew. */
interface StoredTopic {
  readonly id: number
  readonly settings: TopicSettings
}

const KEY = 'topic/'
const ID_BYTES_MAX = 512 * 1024 * 1024

/** All topics of a bus, kept in a log of their own; open from the start, so that their upkeep goes on. */
export class TopicStore {
  readonly #options: EmbeddedBusOptions
  readonly #state: StateMap
  readonly #recall: RecallStore
  readonly #idMemory: IdMemory
  /** What a stored topic can grant on this disk. */
  readonly best: Durability
  readonly #topics = new Map<string, Topic>()
  readonly #ids = new Map<string, number>()
  readonly #changing = new Map<string, Promise<unknown>>()
  #nextId = 1

  constructor(options: EmbeddedBusOptions, parts: { readonly state: StateMap; readonly recall: RecallStore }) {
    this.#options = options
    this.#state = parts.state
    this.#recall = parts.recall
    this.#idMemory = new IdMemory(options.idBytesMax ?? ID_BYTES_MAX)
    this.best = bestDurability(options)
  }

  /** Opens every stored topic and removes what a deletion interrupted by a crash left behind. */
  async load(): Promise<void> {
    const stored = this.#state.keys(KEY).map((key) => this.#state.get(key) as StoredTopic)
    this.#nextId = stored.reduce((next, { id }) => Math.max(next, id + 1), 1)
    await Promise.all(stored.map(({ id, settings }) => this.#openStored(id, settings)))
    const kept = new Set(stored.map(({ id }) => String(id)))
    const { disk } = this.#options
    await disk.makeDirectory(this.#root)
    for (const name of await disk.list(this.#root)) {
      if (!kept.has(name)) await removeTree(disk, `${this.#root}/${name}`)
    }
  }

  get #root(): string {
    return `${this.#options.directory}/topics`
  }

  names(): string[] {
    return [...this.#topics.keys()].sort()
  }

  logTopics(): LogTopic[] {
    return [...this.#topics.values()].filter((topic) => topic.kind === 'log')
  }

  all(): Topic[] {
    return [...this.#topics.values()]
  }

  /** Throws `not-found` for a topic that does not exist. */
  get(name: string): Topic {
    const topic = this.#topics.get(name)
    if (topic === undefined) throw noTopic(name, this.#topics.keys())
    return topic
  }

  find(name: string): Topic | undefined {
    return this.#topics.get(name)
  }

  /** Changes of one topic follow one another. */
  #inTurn<T>(name: string, change: () => Promise<T>): Promise<T> {
    const before = this.#changing.get(name) ?? Promise.resolve()
    const done = before.then(change, change)
    this.#changing.set(name, done)
    const forget = () => {
      if (this.#changing.get(name) === done) this.#changing.delete(name)
    }
    done.then(forget, forget)
    return done
  }

  async open(spec: TopicSpec): Promise<Capabilities> {
    const settings = resolveTopic(spec)
    checkOneMachine(spec)
    return this.#inTurn(spec.name, async () => {
      const existing = this.#topics.get(spec.name)
      if (existing === undefined) return (await this.#create(settings)).capabilities
      checkSameTopic(existing.settings, spec)
      if (spec.durability !== undefined) this.#checkDurability(settings)
      return existing.capabilities
    })
  }

  #checkDurability(settings: TopicSettings): void {
    const best = settings.storage === 'ephemeral' ? 'none' : this.best
    grantDurability(settings.durability, best, `topic "${settings.name}"`)
  }

  async #create(settings: TopicSettings): Promise<Topic> {
    this.#checkDurability(settings)
    const id = this.#nextId
    this.#nextId += 1
    const topic = await this.#openStored(id, settings)
    this.#state.touch(KEY + settings.name, () => ({ id, settings }))
    try {
      await this.#state.flush()
    } catch (error) {
      this.#topics.delete(settings.name)
      this.#state.touch(KEY + settings.name, () => undefined)
      throw error
    }
    return topic
  }

  async #openStored(id: number, settings: TopicSettings): Promise<Topic> {
    const topic =
      settings.storage === 'ephemeral'
        ? new EphemeralTopic(settings, this.#options.clock)
        : await this.#openLogs(id, settings)
    this.#topics.set(settings.name, topic)
    this.#ids.set(settings.name, id)
    return topic
  }

  async #openLogs(id: number, settings: TopicSettings): Promise<LogTopic> {
    const tail = new Tail()
    const indexes = Array.from({ length: settings.partitions }, (_, index) => index)
    const partitions = await Promise.all(indexes.map((index) => this.#openPartition(index, { id, settings, tail })))
    return { kind: 'log', settings, capabilities: logCapabilities(settings, this.best), partitions, tail }
  }

  async #openPartition(
    index: number,
    topic: { readonly id: number; readonly settings: TopicSettings; readonly tail: Tail },
  ): Promise<Partition> {
    const { disk, clock, sync, segmentBytes } = this.#options
    const log = await openLog({
      disk,
      clock,
      directory: `${this.#root}/${topic.id}/${index}`,
      lock: false,
      ...(sync && { sync }),
      ...(segmentBytes && { segmentBytes }),
    })
    const partition = new Partition(index, {
      ...{ settings: topic.settings, tail: topic.tail },
      ...{ log, clock, idMemory: this.#idMemory },
    })
    await this.#recall.attach(`${topic.id}/${index}`, partition)
    return partition
  }

  /** The topic is gone when this resolves; readers and writers of it must be closed before. */
  delete(name: string): Promise<void> {
    return this.#inTurn(name, async () => {
      const topic = this.get(name)
      const id = this.#ids.get(name)!
      this.#topics.delete(name)
      this.#ids.delete(name)
      this.#state.touch(KEY + name, () => undefined)
      await this.#state.flush()
      if (topic.kind === 'ephemeral') return topic.close()
      for (const partition of topic.partitions) {
        this.#recall.forget(`${id}/${partition.index}`)
        partition.ids?.close()
      }
      await Promise.all(topic.partitions.map(({ log }) => log.close()))
      await removeTree(this.#options.disk, `${this.#root}/${id}`)
    })
  }

  async close(options: { readonly drain: boolean }): Promise<void> {
    await Promise.allSettled(this.#changing.values())
    for (const topic of this.#topics.values()) if (topic.kind === 'ephemeral') topic.close()
    const logs = this.logTopics().flatMap((topic) => topic.partitions.map(({ log }) => log))
    await Promise.all(logs.map((log) => (options.drain ? log.drain() : log.close())))
  }
}

function bestDurability(options: { readonly disk: Disk; readonly sync?: { readonly kind: string } }): Durability {
  if (options.disk.kind === 'memory') return 'none'
  return (options.sync?.kind ?? 'group') === 'group' ? 'durable' : 'written'
}

function noTopic(name: string, known: Iterable<string>): SkeinError {
  const near = nearest(name, known)
  const hint = near === undefined ? 'open it first' : `did you mean "${near}"? Otherwise open it first`
  return new SkeinError('not-found', `Cannot use topic "${name}": it does not exist; ${hint}`, {
    details: { topic: name, ...(near !== undefined && { nearest: near }) },
  })
}
