import { ClosedError } from '../../../core/index.ts'
import { openLog } from '../../../log/index.ts'
import type {
  Admin,
  Bus,
  Capabilities,
  EncodedReceipt,
  EncodedWrite,
  RawAccess,
  RawReader,
  Reader,
  ReaderOptions,
  Requests,
  TopicSpec,
  Writer,
  WriterOptions,
} from '../../index.ts'
import { EmbeddedAdmin } from './admin.ts'
import { BroadcastReader } from './broadcast-reader.ts'
import { type DataDirectory, openDataDirectory } from './data-directory.ts'
import { clampReplayed, DeadLetters } from './dead-letters.ts'
import { writeEphemeral } from './encoded-ephemeral.ts'
import { EncodedWrites } from './encoded-writes.ts'
import type { EphemeralReader } from './ephemeral-reader.ts'
import { GroupReader } from './group-reader.ts'
import { GroupRegistry } from './group-registry.ts'
import { clampGroups, GroupState } from './group-state.ts'
import { LogWriter } from './log-writer.ts'
import { Maintenance } from './maintenance.ts'
import type { EmbeddedBusOptions } from './options.ts'
import { RecallStore } from './recall-store.ts'
import { LocalRequests } from './requests.ts'
import { StateMap } from './state-map.ts'
import type { LogTopic } from './topic.ts'
import { type Topic, TopicStore } from './topic-store.ts'

type AnyReader = GroupReader | BroadcastReader | EphemeralReader

interface Parts {
  readonly directory: DataDirectory
  readonly topicState: StateMap
  readonly groupState: StateMap
  readonly topics: TopicStore
}

const STATE_SEGMENT_BYTES = 16 * 1024 * 1024
const SPACING_MS = 5
const LAZY_MS = 50

/**
 * Opens the bus in a data directory: every topic that was made there, with the places of its groups. Rejects with
 * `locked`, `future-version`, `corrupt`, or what the disk says.
 */
export async function openEmbeddedBus(options: EmbeddedBusOptions): Promise<EmbeddedBus> {
  const directory = await openDataDirectory(options.disk, options.directory)
  const opened: Array<{ close(options: { readonly drain: boolean }): Promise<void> }> = []
  try {
    const topicState = await openState(options, 'topics-state')
    opened.push(topicState)
    const groupState = await openState(options, 'groups-state')
    opened.push(groupState)
    const recall = new RecallStore(groupState, () => options.clock.nowMs())
    const topics = new TopicStore(options, { state: topicState, recall })
    opened.push(topics)
    await topics.load()
    clampGroups(groupState, topics.logTopics())
    clampReplayed(groupState, topics)
    await groupState.settle()
    return new EmbeddedBus(options, { directory, topicState, groupState, topics })
  } catch (error) {
    for (const one of opened.reverse()) await one.close({ drain: false })
    await directory.release()
    throw error
  }
}

async function openState(options: EmbeddedBusOptions, name: 'topics-state' | 'groups-state'): Promise<StateMap> {
  const { disk, clock, directory } = options
  const log = await openLog({
    disk,
    clock,
    directory: `${directory}/${name}`,
    lock: false,
    segmentBytes: STATE_SEGMENT_BYTES,
  })
  // A topic must outlive the power; the place of a group only the process: what was settled since is given again.
  const durability = name === 'topics-state' ? 'durable' : 'written'
  return StateMap.open({ log, clock, spacingMs: SPACING_MS, lazyMs: LAZY_MS, durability })
}

/** The bus of one process over its own logs. */
export class EmbeddedBus implements Bus, RawAccess {
  readonly name = 'embedded'
  readonly requests: Requests
  readonly admin: Admin
  readonly #options: EmbeddedBusOptions
  readonly #parts: Parts
  readonly #groups: GroupRegistry
  readonly #deadLetters: DeadLetters
  readonly #encodedWrites: EncodedWrites
  readonly #localRequests: LocalRequests
  readonly #maintenance: Maintenance
  readonly #readers = new Map<AnyReader, string>()
  readonly #writers = new Map<Writer, string>()
  #isClosing = false
  #closed: Promise<void> | undefined

  constructor(options: EmbeddedBusOptions, parts: Parts) {
    const { clock } = options
    this.#options = options
    this.#parts = parts
    this.#groups = new GroupRegistry(new GroupState(parts.groupState), clock)
    this.#deadLetters = new DeadLetters({ topics: parts.topics, state: parts.groupState, clock })
    this.#encodedWrites = new EncodedWrites()
    this.#localRequests = new LocalRequests(clock)
    this.requests = this.#localRequests
    this.admin = new EmbeddedAdmin({
      topics: parts.topics,
      groups: this.#groups,
      deadLetters: this.#deadLetters,
      clock,
      closeUsers: (topic) => this.#closeUsers(topic),
    })
    this.#maintenance = new Maintenance(parts.topics, () => parts.groupState.flush(), options)
  }

  /**
   * When the newest of all stored messages was appended; 0 when there are none. A clock that shows less now was set back
   * while nobody looked.
   */
  get newestMs(): number {
    const partitions = this.#parts.topics.logTopics().flatMap((topic) => topic.partitions)
    return partitions.reduce((newest, { log }) => Math.max(newest, log.status().lastAppendedAtMs), 0)
  }

  /** Segments that were set aside: what is in them is not what was written. */
  damaged() {
    const partitions = this.#parts.topics.logTopics().flatMap((topic) => topic.partitions)
    return partitions.flatMap(({ log, settings, index }) =>
      log.status().quarantined.map((segment) => ({ topic: settings.name, partition: index, ...segment })),
    )
  }

  async open(topic: TopicSpec): Promise<Capabilities> {
    this.#checkOpen()
    return this.#parts.topics.open(topic)
  }

  #checkOpen(): void {
    if (this.#isClosing) throw new ClosedError('the bus')
  }

  writer(topic: string, options: WriterOptions = {}): Writer {
    this.#checkOpen()
    const found = this.#parts.topics.get(topic)
    const writer: Writer =
      found.kind === 'ephemeral'
        ? found.writer(options, () => this.#writers.delete(writer))
        : new LogWriter(found, { options, clock: this.#options.clock, onClosed: () => this.#writers.delete(writer) })
    this.#writers.set(writer, topic)
    return writer
  }

  reader(topic: string, options: ReaderOptions): Reader {
    return this.#openReader(topic, options)
  }

  rawReader(topic: string, options: ReaderOptions): RawReader {
    return this.#openReader(topic, options)
  }

  #openReader(topic: string, options: ReaderOptions): AnyReader {
    this.#checkOpen()
    const found = this.#parts.topics.get(topic)
    const reader =
      found.kind === 'ephemeral'
        ? found.reader(options, (one) => this.#readers.delete(one))
        : this.#logReader(found, options)
    this.#readers.set(reader, topic)
    return reader
  }

  #logReader(topic: LogTopic, options: ReaderOptions): GroupReader | BroadcastReader {
    const { clock, random } = this.#options
    if (options.mode === 'broadcast') {
      const reader = new BroadcastReader(topic, { options, clock, onClosed: () => this.#readers.delete(reader) })
      return reader
    }
    const group = this.#groups.open(topic, options.group)
    const reader = new GroupReader(group, {
      options,
      clock,
      random,
      deadLetters: this.#deadLetters,
      onClosed: () => {
        this.#readers.delete(reader)
        void this.#groups.release(group)
      },
    })
    return reader
  }

  writeEncoded(write: EncodedWrite): ReturnType<RawAccess['writeEncoded']> {
    if (this.#isClosing) return Promise.reject(new ClosedError('the bus'))
    return this.#writeEncoded(write)
  }

  async #writeEncoded(write: EncodedWrite): Promise<EncodedReceipt> {
    const topic: Topic = this.#parts.topics.get(write.topic)
    if (topic.kind === 'log') return this.#encodedWrites.write(topic, write)
    return writeEphemeral(topic, write)
  }

  async #closeUsers(topic: string): Promise<void> {
    const readers = [...this.#readers].filter(([, name]) => name === topic).map(([reader]) => reader)
    const writers = [...this.#writers].filter(([, name]) => name === topic).map(([writer]) => writer)
    await Promise.all([...readers, ...writers].map((one) => one.close()))
  }

  drain(): Promise<void> {
    this.#closed ??= this.#shutDown({ drain: true })
    return this.#closed
  }

  close(): Promise<void> {
    this.#closed ??= this.#shutDown({ drain: false })
    return this.#closed
  }

  async #shutDown(options: { readonly drain: boolean }): Promise<void> {
    this.#isClosing = true
    const { topics, topicState, groupState, directory } = this.#parts
    await this.#maintenance.stop()
    const users = [...this.#writers.keys(), ...this.#readers.keys()]
    await Promise.all(users.map((user) => (options.drain ? user.drain() : user.close())))
    this.#localRequests.close()
    for (const topic of topics.logTopics()) for (const partition of topic.partitions) partition.note()
    await topics.close(options)
    await groupState.close(options)
    await topicState.close(options)
    await directory.release()
  }
}
