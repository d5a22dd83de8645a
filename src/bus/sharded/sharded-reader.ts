import { type Clock, ClosedError, UnsupportedError } from '../../core/index.ts'
import type { Assignment, Bus, Lag, Reader, ReaderOptions, ReadLimits, SettleOptions, StartPosition } from '../bus.ts'
import type { Batch, Delivery, Position } from '../message.ts'
import { backlog, isGroupDone, newestReadBy } from './backlog.ts'
import { endOf, type Generation, type Part } from './generations.ts'
import { innerPosition, PartsReader } from './parts-reader.ts'
import { counts, type ShardedTopic } from './sharded-topic.ts'
import { type GenerationStart, placesIn, placesOf, startOf } from './start-of.ts'

/** When nothing comes of a sealed generation, it is looked whether it is done with: soon, then less and less often. */
const LOOK_FIRST_MS = 10
const LOOK_EVERY_MS = 250

type AssignmentListener = (change: Assignment) => Promise<void> | void

/** One generation as this reader reads it. */
interface Current {
  readonly number: number
  readonly parts: PartsReader
  /** Of a broadcast reader: partitions in which its end was not reached, as far as is known. */
  readonly unread: Set<number>
  /** Of a group reader: how much came from behind the ends, per partition, and its last place. */
  readonly behind: Map<number, { count: number; last: Position; assignment: number }>
}

/**
 * Reads one generation after the other. The next begins when everything of the last that counts is done with: by this
 * reader, or by the whole group.
 */
export class ShardedReader implements Reader {
  readonly #bus: Bus
  readonly #topic: ShardedTopic
  readonly #options: ReaderOptions
  readonly #clock: Clock
  readonly #listeners: AssignmentListener[] = []
  readonly #closing = new AbortController()
  #current: Current | undefined
  /** What is opened next; at first, where the options say. */
  #next: GenerationStart | undefined
  #moving: Promise<Current> | undefined
  #droppedBefore = 0

  constructor(bus: Bus, topic: ShardedTopic, at: { readonly options: ReaderOptions; readonly clock: Clock }) {
    this.#bus = bus
    this.#topic = topic
    this.#options = at.options
    this.#clock = at.clock
    // A reader that stands at the end stands there from now on.
    this.#opened().catch(() => {})
  }

  get dropped(): number {
    return this.#droppedBefore + (this.#current?.parts.dropped ?? 0)
  }

  #opened(): Promise<Current> {
    if (this.#closing.signal.aborted) return Promise.reject(this.#closing.signal.reason)
    if (this.#current !== undefined) return Promise.resolve(this.#current)
    this.#moving ??= this.#openNext().finally(() => {
      this.#moving = undefined
    })
    return this.#moving
  }

  async #openNext(): Promise<Current> {
    this.#next ??= await this.#start()
    const opened = await this.#open(this.#next)
    this.#current = opened
    if (this.#closing.signal.aborted) await opened.parts.close()
    return opened
  }

  async #moveTo(next: GenerationStart, { parts }: Current): Promise<void> {
    this.#next = next
    this.#current = undefined
    this.#droppedBefore += parts.dropped
    await parts.close()
    await this.#opened()
  }

  async #start(): Promise<GenerationStart> {
    await this.#topic.caughtUp(this.#closing.signal)
    const { begun } = this.#topic.generations
    const options = this.#options
    if (options.mode === 'group') {
      const known = await newestReadBy(this.#bus, this.#topic, options.group)
      if (known !== undefined) return { generation: known, from: options.from }
    }
    return startOf(options.mode === 'group' ? options.from : (options.from ?? 'latest'), begun)
  }

  async #open({ generation: number, from }: GenerationStart): Promise<Current> {
    const generation = this.#topic.generations.all[number - 1]!
    await this.#topic.openParts(generation)
    const members = generation.parts.flatMap((part) => {
      const options = this.#partOptions(part, from)
      return options === undefined ? [] : [{ part, reader: this.#bus.reader(this.#topic.innerName(part), options) }]
    })
    const parts = new PartsReader(this.#topic.name, members, { clock: this.#clock })
    parts.onAssignment((change) => this.#tell(change))
    const first = generation.parts[0]!.firstPartition
    const unread = new Set(generation.parts.flatMap((part) => partitionsOf(part)))
    for (const partition of unread)
      if (!parts.has(partition) || generation.ends?.[partition - first] === 0) unread.delete(partition)
    return { number, parts, unread, behind: new Map() }
  }

  /** Undefined for a part of which none of the subjects is. */
  #partOptions(part: Part, from: StartPosition | undefined): ReaderOptions | undefined {
    const { subjects } = this.#options
    const start = startIn(part, from)
    const options = { ...this.#options, ...(start !== undefined && { from: start }) } as ReaderOptions
    if (subjects === undefined) return options
    const wanted = this.#topic.subjectsOf(part, subjects)
    return wanted.length === 0 ? undefined : { ...options, subjects: wanted.map((subject) => part.prefix + subject) }
  }

  async #tell(change: Assignment): Promise<void> {
    for (const listener of this.#listeners) await listener(change)
  }

  async read(limits: ReadLimits = {}): Promise<Batch | null> {
    const { waitMs, signal } = limits
    const sinceMs = this.#clock.monotonicMs()
    for (let lookMs = LOOK_FIRST_MS; ; lookMs = Math.min(2 * lookMs, LOOK_EVERY_MS)) {
      const current = await this.#opened()
      const leftMs = waitMs === undefined ? LOOK_EVERY_MS : waitMs - (this.#clock.monotonicMs() - sinceMs)
      const onceMs = this.#isSealed(current) ? lookMs : LOOK_EVERY_MS
      const batch = await current.parts.read({ ...limits, waitMs: Math.max(0, Math.min(leftMs, onceMs)) })
      const given = batch && (await this.#withinEnds(current, batch, signal))
      if (given) return given
      const hasMoved = batch === null && (await this.#goOn(current))
      if (batch === null && !hasMoved && waitMs !== undefined && leftMs <= onceMs) return null
    }
  }

  #isSealed({ number }: Current): boolean {
    return this.#topic.generations.all[number - 1]!.state === 'sealed'
  }

  /** What of a batch counts; null when nothing does. */
  async #withinEnds(current: Current, batch: Batch, signal: AbortSignal | undefined): Promise<Batch | null> {
    if (this.#topic.isCertain(current.number)) return batch
    const generation = await this.#topic.known(current.number, signal ?? this.#closing.signal)
    const end = endOf(generation, batch.partition)
    if (end !== undefined && batch.last.sequence >= end - 1) current.unread.delete(batch.partition)
    const deliveries = batch.deliveries.filter(({ position }) => counts(generation, position))
    if (deliveries.length === batch.deliveries.length) return batch
    this.#noteBehind(current, batch, batch.deliveries.length - deliveries.length)
    return deliveries.length === 0 ? null : { ...batch, deliveries, last: deliveries.at(-1)!.position }
  }

  #noteBehind({ behind }: Current, { partition, last, generation }: Batch, count: number): void {
    const known = behind.get(partition)
    const before = known?.assignment === generation ? known.count : 0
    behind.set(partition, { count: before + count, last, assignment: generation })
  }

  /** Nothing came. True when something else is to be read from now on. */
  async #goOn(current: Current): Promise<boolean> {
    const generation = this.#topic.generations.all[current.number - 1]!
    if (generation.state !== 'sealed') return false
    const isDone =
      this.#options.mode === 'group' ? await this.#isDone(generation, current) : await this.#isRead(current)
    if (!isDone || this.#current !== current) return false
    const { from } = this.#options
    const isTime = typeof from === 'object' && 'timestampMs' in from
    await this.#moveTo({ generation: current.number + 1, from: isTime ? from : 'earliest' }, current)
    return true
  }

  async #isRead({ parts, unread }: Current): Promise<boolean> {
    if (unread.size > 0)
      for (const { partition, messages } of await parts.lag()) if (messages === 0) unread.delete(partition)
    return unread.size === 0
  }

  /** What came from behind the ends is nobody's work: it is done with once all before it is. */
  async #isDone(generation: Generation, current: Current): Promise<boolean> {
    if (current.behind.size > 0) {
      for (const { partition, messages } of await current.parts.lag()) {
        const behind = current.behind.get(partition)
        if (behind !== undefined && messages <= behind.count) {
          await current.parts.acknowledge(behind.last, behind.assignment)
          current.behind.delete(partition)
        }
      }
    }
    const options = this.#options
    if (options.mode !== 'group') return false
    const parts = generation.parts.filter(({ firstPartition }) => current.parts.has(firstPartition))
    return isGroupDone(this.#bus, this.#topic, { generation, parts, group: options.group })
  }

  async acknowledge(through: Position, generation?: number): Promise<void> {
    await (await this.#opened()).parts.acknowledge(through, generation)
  }

  async settle(
    deliveries: readonly Delivery[],
    how: 'retry' | 'release' | 'dead',
    options?: SettleOptions,
  ): Promise<void> {
    await (await this.#opened()).parts.settle(deliveries, how, options)
  }

  onAssignment(listener: AssignmentListener): void {
    this.#listeners.push(listener)
  }

  /** A group goes on within its generation; what is done with is read again by another group. */
  async seek(to: StartPosition): Promise<void> {
    const current = await this.#opened()
    const start = startOf(to, this.#topic.generations.begun)
    if (start.generation === current.number && this.#options.mode === 'group') return current.parts.seek(to)
    if (this.#options.mode === 'group') {
      throw new UnsupportedError(
        'a seek to another generation',
        `the whole group reads generation ${current.number} of "${this.#topic.name}"; read with a new group, from there`,
      )
    }
    await this.#moveTo(start, current)
  }

  async end(): Promise<readonly Position[]> {
    const current = await this.#opened()
    const { begun } = this.#topic.generations
    const others = begun.filter(({ number }) => number !== current.number)
    const ends = await Promise.all(others.map((generation) => backlog(this.#bus, this.#topic, generation)))
    const sealed = begun.find(({ number }) => number === current.number)!
    const here = (await current.parts.end()).map((end) => atMost(end, endOf(sealed, end.partition)))
    return [...here, ...ends.flat().map(({ end }) => end)].sort((one, other) => one.partition - other.partition)
  }

  /** What waits in later generations is this reader's to come. */
  async lag(): Promise<readonly Lag[]> {
    const current = await this.#opened()
    const later = this.#topic.generations.begun.filter(({ number }) => number > current.number)
    const [here, ...waiting] = await Promise.all([
      current.parts.lag(),
      ...later.map((generation) => backlog(this.#bus, this.#topic, generation)),
    ])
    const group = this.#options.mode === 'group' ? this.#options.group : undefined
    const lags = waiting.flat().map(({ end, messages }): Lag => {
      return { topic: this.#topic.name, group, partition: end.partition, messages, seconds: undefined }
    })
    return [...here, ...lags]
  }

  async drain(): Promise<void> {
    this.#end()
    await this.#moving?.catch(() => {})
    await this.#current?.parts.drain()
  }

  async close(): Promise<void> {
    this.#end()
    await this.#moving?.catch(() => {})
    await this.#current?.parts.close()
  }

  #end(): void {
    this.#closing.abort(new ClosedError(`the reader of "${this.#topic.name}"`))
  }
}

/** Where to begin in one part. What places do not name is read from its end on. */
function startIn(part: Part, from: StartPosition | undefined): StartPosition | undefined {
  const places = placesOf(from)
  if (places === undefined) return from
  const within = placesIn([part], places)
  return within.length === 0 ? 'latest' : within.map((place) => innerPosition(place, part))
}

function partitionsOf({ firstPartition, partitions }: Part): number[] {
  return Array.from({ length: partitions }, (_, index) => firstPartition + index)
}

function atMost(end: Position, sealed: number | undefined): Position {
  return sealed === undefined || end.sequence <= sealed ? end : { ...end, sequence: sealed }
}
