import { SkeinError } from '../../../../core/index.ts'
import type { Cluster, Lane } from '../cluster.ts'
import { isRetriable, KAFKA, protocolErrorOf, skeinError } from '../kafka-error.ts'
import type { Compressor } from '../protocol/compression.ts'
import { decodeBatches } from '../protocol/decode-batches.ts'
import { type FetchedPartition, fetchBatches } from '../protocol/fetch-request.ts'
import type { KafkaTopic } from '../topic/kafka-topic.ts'
import type { Feed } from './feed.ts'
import { listOffsets } from './list-offsets.ts'

/** How long the broker holds a fetch that finds nothing. */
const FETCH_WAIT_MS = 250
const PARTITION_BYTES_MAX = 1024 * 1024
const PARTITION_BYTES_MIN = 64 * 1024
/** A partition that wants more while a fetch of others waits at the broker goes over the second connection. */
const LANES = 2
const MISSING_TRIES_MAX = 10

export interface FetcherParts {
  readonly cluster: Cluster
  readonly compressor: Compressor
  readonly topic: KafkaTopic
  readonly bufferBytesMax: number
  /** Something came, or went wrong: whoever waits looks again. */
  readonly wake: () => void
  /** The reader cannot go on. */
  readonly fail: (error: Error) => void
}

/** Keeps the buffers of one reader's feeds filled, within their bound: one fetch at a time per broker and connection. */
export class Fetcher {
  readonly #parts: FetcherParts
  readonly #feeds = new Map<number, Feed>()
  readonly #lanes: readonly Lane[]
  readonly #busy = new Set<string>()
  readonly #stop = new AbortController()
  #refreshing: Promise<void> | undefined
  #tries = 0

  constructor(parts: FetcherParts) {
    this.#parts = parts
    this.#lanes = Array.from({ length: LANES }, () => parts.cluster.newFetchLane())
  }

  add(feed: Feed): void {
    this.#feeds.set(feed.partition, feed)
    this.pump()
  }

  remove(partition: number): void {
    this.#feeds.delete(partition)
  }

  /** Starts what can be fetched now; cheap when that is nothing. */
  pump(): void {
    if (this.#stop.signal.aborted || this.#parts.cluster.isClosed) return
    const wanting = [...this.#feeds.values()].filter((feed) => this.#wants(feed))
    if (wanting.length === 0 || this.#bufferedBytes >= this.#parts.bufferBytesMax) return
    const { cluster, topic } = this.#parts
    const byLeader = Map.groupBy(wanting, (feed) => cluster.leaderOf(topic.name, feed.partition))
    for (const [leader, feeds] of byLeader) {
      if (leader < 0) {
        this.#refresh()
        continue
      }
      const lane = this.#lanes.find((one) => !this.#busy.has(`${one}/${leader}`))
      if (lane !== undefined) void this.#fetch(leader, lane, feeds)
    }
  }

  #wants(feed: Feed): boolean {
    return (
      !feed.isFetching && feed.failure === undefined && feed.gate.canFetch && feed.bufferedBytes < PARTITION_BYTES_MAX
    )
  }

  get #bufferedBytes(): number {
    let bytes = 0
    for (const feed of this.#feeds.values()) bytes += feed.bufferedBytes
    return bytes
  }

  async #fetch(leader: number, lane: Lane, feeds: readonly Feed[]): Promise<void> {
    const { cluster, topic, bufferBytesMax } = this.#parts
    const key = `${lane}/${leader}`
    const versions = feeds.map((feed) => feed.version)
    const bytesMax = Math.max(
      PARTITION_BYTES_MIN,
      Math.min(PARTITION_BYTES_MAX, Math.floor(bufferBytesMax / feeds.length)),
    )
    const from = feeds.map((feed) => ({ partition: feed.partition, offset: feed.fetchOffset, bytesMax }))
    this.#busy.add(key)
    for (const feed of feeds) feed.isFetching = true
    try {
      const request = { topic: topic.name, from, waitMs: FETCH_WAIT_MS, bytesMax: bufferBytesMax }
      const fetched = await cluster.ask(leader, (connection) => fetchBatches(cluster.kafka, connection, request), lane)
      this.#tries = 0
      for (const [index, feed] of feeds.entries()) {
        const part = fetched.find((one) => one.partition === feed.partition)
        if (part !== undefined && feed.version === versions[index]) await this.#take(feed, part)
      }
    } catch (error) {
      this.#failed(error)
    } finally {
      this.#busy.delete(key)
      for (const feed of feeds) feed.isFetching = false
      this.#parts.wake()
      this.pump()
    }
  }

  async #take(feed: Feed, fetched: FetchedPartition): Promise<void> {
    const { cluster, compressor, topic } = this.#parts
    const { version } = feed
    if (fetched.errorCode !== 0) return this.#takeError(feed, fetched.errorCode)
    try {
      const tools = { topic: topic.name, compressor, crc32c: cluster.kafka.crc32c }
      const batches = await decodeBatches(fetched, tools)
      if (feed.version === version) feed.append(batches, fetched.lastStableOffset)
    } catch (error) {
      const resumeOffset = error instanceof SkeinError ? error.details.resumeOffset : undefined
      if (typeof resumeOffset !== 'number') throw error
      if (feed.version === version) this.#passGap(feed, resumeOffset, error as SkeinError)
    }
  }

  /** Whoever reads is told of a gap once; the next read goes on behind it. */
  #passGap(feed: Feed, resumeOffset: number, failure: SkeinError): void {
    feed.moveTo(resumeOffset)
    feed.failure = failure
  }

  async #takeError(feed: Feed, code: number): Promise<void> {
    const { cluster, topic } = this.#parts
    const cause = protocolErrorOf(cluster.kafka, code)
    if (code !== KAFKA.OFFSET_OUT_OF_RANGE) throw cause
    const offset = feed.gate.position
    const { version } = feed
    const [start, end] = await Promise.all([
      listOffsets(cluster, { topic: topic.name, at: 'earliest', partitions: [feed.partition] }),
      listOffsets(cluster, { topic: topic.name, at: 'latest', partitions: [feed.partition] }),
    ])
    if (feed.version !== version) return
    const startOffset = start.get(feed.partition)!
    const resumeOffset = offset < startOffset ? startOffset : end.get(feed.partition)!
    const what = offset < startOffset ? `it begins at ${startOffset} now` : `it ends at ${resumeOffset} now`
    const message = `Cannot read partition ${feed.partition} of "${topic.name}" from offset ${offset}: ${what}`
    const details = { topic: topic.name, partition: feed.partition, offset, startOffset, resumeOffset }
    this.#passGap(feed, resumeOffset, new SkeinError('position-gone', message, { cause, details }))
  }

  #failed(error: unknown): void {
    const { cluster, topic, fail } = this.#parts
    if (this.#stop.signal.aborted || cluster.isClosed) return
    cluster.noteFailure(error)
    if (isRetriable(error)) this.#refresh()
    else fail(skeinError(error, `read "${topic.name}"`))
  }

  /** Somebody else leads a partition, or nobody answers: ask who, after a while that grows. */
  #refresh(): void {
    if (this.#refreshing !== undefined) return
    for (const feed of this.#feeds.values()) feed.isFetching = true
    this.#refreshing = this.#refreshOnce()
      .catch((error: unknown) => this.#refreshFailed(error))
      .finally(() => {
        this.#refreshing = undefined
        for (const feed of this.#feeds.values()) feed.isFetching = false
        this.pump()
      })
  }

  async #refreshOnce(): Promise<void> {
    const { cluster, topic, fail } = this.#parts
    this.#tries += 1
    await cluster.backOff(this.#tries, this.#stop.signal)
    const info = await cluster.topic(topic.name, { fresh: true })
    if (info === undefined && this.#tries > MISSING_TRIES_MAX) {
      fail(skeinError(protocolErrorOf(cluster.kafka, KAFKA.UNKNOWN_TOPIC_OR_PARTITION), `read "${topic.name}"`))
    }
  }

  #refreshFailed(error: unknown): void {
    const { cluster, topic, fail } = this.#parts
    if (this.#stop.signal.aborted || cluster.isClosed) return
    cluster.noteFailure(error)
    if (!isRetriable(error)) fail(skeinError(error, `read "${topic.name}"`))
  }

  close(): void {
    if (this.#stop.signal.aborted) return
    this.#stop.abort()
    for (const lane of this.#lanes) this.#parts.cluster.closeLane(lane)
  }
}
