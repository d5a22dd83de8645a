import { UnsupportedError } from '../../../core/index.ts'
import type { Batch, BroadcastReaderOptions, Lag, Position, Reader, ReadLimits, StartPosition } from '../../index.ts'
import type { Connection } from './connection.ts'
import { secondsBehind } from './lag.ts'
import type { LogTopic } from './log-topic.ts'
import { PartitionFeed } from './partition-feed.ts'
import { persist } from './persist.ts'
import { ReadLoop, type ReadSizes, readSizes } from './read-loop.ts'
import { startSequence, streamEnds } from './start-sequence.ts'

const BUFFER_BYTES_MAX = 4 * 1024 * 1024
const GENERATION = 1

export interface BroadcastReaderParts {
  readonly options: BroadcastReaderOptions
  readonly connection: Connection
  readonly onClosed: () => void
}

/** Reads every partition of a topic for itself, from wherever it wants to. */
export class BroadcastReader implements Reader {
  readonly dropped = 0
  readonly #topic: LogTopic
  readonly #connection: Connection
  readonly #onClosed: () => void
  readonly #loop: ReadLoop
  readonly #feeds: readonly PartitionFeed[]
  #turn = 0
  #ready: Promise<void>

  constructor(topic: LogTopic, parts: BroadcastReaderParts) {
    const { options, connection } = parts
    const { name, partitions } = topic.settings
    this.#topic = topic
    this.#connection = connection
    this.#onClosed = parts.onClosed
    this.#loop = new ReadLoop(`the reader of "${name}"`, connection.clock)
    const onChange = () => this.#loop.wake()
    const bufferBytesMax = Math.ceil((options.bufferBytesMax ?? BUFFER_BYTES_MAX) / partitions)
    this.#feeds = Array.from(
      { length: partitions },
      (_, partition) =>
        new PartitionFeed(topic, connection, {
          partition,
          subjects: options.subjects,
          group: undefined,
          bufferBytesMax,
          onChange,
        }),
    )
    this.#ready = this.#moveAll(options.from ?? 'latest', 'earliest')
    // Told by the read that waits for it.
    this.#ready.catch(() => {})
  }

  /** `others`: for partitions that the position does not name; undefined leaves them where they are. */
  #moveAll(to: StartPosition, others?: StartPosition): Promise<void> {
    const [topic, connection] = [this.#topic, this.#connection]
    return persist(connection, this.#loop.signal, async () => {
      await Promise.all(
        this.#feeds.map(async (feed) => {
          const { partition } = feed
          const named = await startSequence(connection, { topic, partition, start: to })
          const sequence = named ?? (others && (await startSequence(connection, { topic, partition, start: others })))
          if (sequence !== undefined) await feed.moveTo(sequence - 1)
        }),
      )
    })
  }

  async read(limits: ReadLimits = {}): Promise<Batch | null> {
    const sizes = readSizes(limits)
    return this.#loop.run(limits, {
      ready: () => this.#ready,
      take: () => this.#take(sizes),
      nextDueMs: () => undefined,
    })
  }

  #take(sizes: ReadSizes): Batch | undefined {
    for (let tried = 0; tried < this.#feeds.length; tried += 1) {
      this.#turn = (this.#turn + 1) % this.#feeds.length
      const feed = this.#feeds[this.#turn]!
      const problem = feed.takeProblem()
      if (problem !== undefined) throw problem
      const deliveries = feed.take(sizes, () => 1)
      if (deliveries.length === 0) continue
      const last = deliveries.at(-1)!.position
      return { topic: this.#topic.settings.name, partition: feed.partition, generation: GENERATION, deliveries, last }
    }
    return undefined
  }

  /** A broadcast reader has nothing to acknowledge: accepted, so that one loop can serve both kinds. */
  async acknowledge(): Promise<void> {}

  async settle(): Promise<void> {
    throw new UnsupportedError(
      'settle on a broadcast reader',
      'it keeps no account of single messages; read as a group',
    )
  }

  onAssignment(): void {}

  async seek(to: StartPosition): Promise<void> {
    if (this.#loop.isClosed) throw this.#loop.closedError()
    await this.#ready
    await this.#moveAll(to)
    this.#loop.wake()
  }

  async end(): Promise<readonly Position[]> {
    const { names } = this.#topic
    return Promise.all(
      this.#feeds.map(async ({ partition }) => {
        const { end } = await streamEnds(this.#connection, names.stream(partition))
        return { partition, sequence: end - 1 }
      }),
    )
  }

  async lag(): Promise<readonly Lag[]> {
    await this.#ready
    return Promise.all(
      this.#feeds.map(async (feed) => {
        const { partition } = feed
        const { end } = await streamEnds(this.#connection, this.#topic.names.stream(partition))
        // What lies at the end may be deleted, or of other subjects: only the consumer knows.
        const left = Math.max(0, end - 1 - feed.position)
        const messages = left > 0 && (await feed.askAtTail()) ? 0 : left
        const seconds =
          messages === 0
            ? 0
            : await secondsBehind(this.#connection, { topic: this.#topic, partition, offset: feed.position })
        return { topic: this.#topic.settings.name, group: undefined, partition, messages, seconds }
      }),
    )
  }

  async drain(): Promise<void> {
    await this.close()
  }

  async close(): Promise<void> {
    if (!this.#loop.close()) return
    for (const feed of this.#feeds) feed.close()
    this.#onClosed()
  }
}
