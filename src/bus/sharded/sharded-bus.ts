import { type Clock, ClosedError, checkSubject, type Random, SkeinError, UnsupportedError } from '../../core/index.ts'
import type {
  Admin,
  Bus,
  Reader,
  ReaderOptions,
  Requests,
  Sharding,
  TopicSpec,
  Transaction,
  TransactionOptions,
  Writer,
  WriterOptions,
} from '../bus.ts'
import type { Capabilities } from '../capabilities.ts'
import { LateReader, LateWriter, topicOfDeadLetters } from '../kit/index.ts'
import { isOwnTopic } from '../own-topics.ts'
import { partsOf } from './generations.ts'
import { type GrowOptions, type Growth, growTopic } from './grow-topic.ts'
import { GrowthLog } from './growth-log.ts'
import type { NextGeneration, ShardsByLevel } from './growth-record.ts'
import { lettersReader } from './letters.ts'
import { shardedAdmin } from './sharded-admin.ts'
import { ShardedReader } from './sharded-reader.ts'
import { ShardedTopic } from './sharded-topic.ts'
import { ShardedWriter } from './sharded-writer.ts'

const LEASE_MS = 2_000
const LEASE_MS_LEAST = 20

export interface ShardedBusOptions {
  readonly clock: Clock
  readonly random: Random
}

/** A bus on which topics can grow. */
export interface GrowingBus extends Bus {
  /**
   * Lets a topic go on in a new generation with so many partitions for each shard, or other shards; without
   * `next`, finishes what somebody has begun. What is there stays where it is. Rejects with `unsupported` for a topic that
   * was not opened to grow, `fenced` when somebody else has taken over, `bad-argument`.
   */
  grow(topic: string, next?: NextGeneration, options?: Pick<GrowOptions, 'onStep' | 'signal'>): Promise<Growth>
}

/**
 * Any bus, with topics that grow by generations and are divided by a level of their subjects (`TopicSpec.sharding`).
 * Other topics pass through untouched.
 */
class ShardedBus implements GrowingBus {
  readonly name: string
  readonly requests: Requests
  readonly admin: Admin
  readonly transaction?: (options: TransactionOptions) => Promise<Transaction>
  readonly #bus: Bus
  readonly #clock: Clock
  readonly #random: Random
  /** Undefined: looked for, and not sharded. */
  readonly #topics = new Map<string, Promise<ShardedTopic | undefined>>()
  /** Those that were looked up and are sharded. */
  readonly #sharded = new Map<string, ShardedTopic>()
  readonly #plain = new Set<string>()
  readonly #writers = new Set<ShardedWriter>()
  #isClosed = false

  constructor(bus: Bus, options: ShardedBusOptions) {
    this.#bus = bus
    this.#clock = options.clock
    this.#random = options.random
    this.name = bus.name
    this.requests = bus.requests
    this.admin = shardedAdmin({
      bus,
      find: (topic) => this.#find(topic),
      onDeleted: (topic) => this.#forget(topic),
    })
    if (bus.transaction !== undefined) this.transaction = (given) => this.#transaction(given)
  }

  async open(spec: TopicSpec): Promise<Capabilities> {
    const { sharding, ...inner } = spec
    if (isOwnTopic(spec.name)) return this.#bus.open(spec)
    const known = await this.#find(spec.name)
    if (known !== undefined) return this.#openKnown(known, spec)
    if (sharding === undefined) {
      const capabilities = await this.#bus.open(spec)
      this.#plain.add(spec.name)
      return capabilities
    }
    const topic = await this.#create(inner, sharding)
    return this.#openKnown(topic, spec)
  }

  /** Its growth is written down before there is anything to write to: nobody ever writes to it without knowing. */
  async #create(spec: TopicSpec, sharding: Sharding): Promise<ShardedTopic> {
    const shards = checkSharding(spec, sharding)
    if (await this.#exists(spec.name)) throw notMadeToGrow(spec.name)
    const log = await GrowthLog.create(this.#bus, spec, this.#clock)
    const partitions = spec.partitions ?? 1
    const leaseMs = sharding.leaseMs ?? LEASE_MS
    if (log.generations.all.length === 0) {
      for (const { prefix } of partsOf(1, { partitions, ...(shards && { values: shards.values }) })) {
        await this.#bus.open({ ...spec, name: prefix + spec.name })
      }
      await log.append({ kind: 'began', partitions, leaseMs, ...(shards && { shards }) })
    }
    return this.#keep(log)
  }

  #keep(log: GrowthLog): ShardedTopic {
    const finishGrowth = () => this.#finishGrowth(log.topic)
    const topic = new ShardedTopic(log, { bus: this.#bus, clock: this.#clock, finishGrowth })
    this.#topics.set(log.topic, Promise.resolve(topic))
    this.#sharded.set(log.topic, topic)
    return topic
  }

  async #finishGrowth(name: string): Promise<void> {
    try {
      await this.grow(name)
    } catch (error) {
      // Somebody else does it.
      if (!(error instanceof SkeinError && error.code === 'fenced')) throw error
    }
  }

  async #exists(name: string): Promise<boolean> {
    try {
      await this.#bus.admin.describeTopic(name)
      return true
    } catch (error) {
      if (isNotFound(error)) return false
      throw error
    }
  }

  /** Each part grants what is asked for; partitions may be those of any generation. */
  async #openKnown(topic: ShardedTopic, spec: TopicSpec): Promise<Capabilities> {
    const { sharding: _, partitions: __, ...asked } = spec
    await topic.caughtUp()
    topic.check(spec)
    return topic.openAs(asked)
  }

  writer(name: string, options?: WriterOptions): Writer {
    if (this.#isPlain(name)) return this.#bus.writer(name, options)
    const topic = this.#sharded.get(name)
    if (topic !== undefined) return this.#writerOf(topic, options)
    return new LateWriter(name, async () => {
      const found = await this.#find(name)
      return found === undefined ? this.#bus.writer(name, options) : this.#writerOf(found, options)
    })
  }

  #writerOf(topic: ShardedTopic, options: WriterOptions | undefined): Writer {
    const onClosed = () => this.#writers.delete(writer)
    const writer = new ShardedWriter({ bus: this.#bus, topic, onClosed }, options)
    this.#writers.add(writer)
    return writer
  }

  reader(name: string, options: ReaderOptions): Reader {
    const of = topicOfDeadLetters(name)
    if (of !== undefined) return this.#lettersReader(name, of, options)
    if (this.#isPlain(name)) return this.#bus.reader(name, options)
    const topic = this.#sharded.get(name)
    const readerOf = (found: ShardedTopic) => new ShardedReader(this.#bus, found, { options, clock: this.#clock })
    if (topic !== undefined) return readerOf(topic)
    const open = async () => {
      const found = await this.#find(name)
      return found === undefined ? this.#bus.reader(name, options) : readerOf(found)
    }
    return new LateReader(name, open, this.#clock)
  }

  #lettersReader(name: string, of: string, options: ReaderOptions): Reader {
    if (this.#plain.has(of)) return this.#bus.reader(name, options)
    const open = async () => {
      const topic = await this.#find(of)
      if (topic === undefined) return this.#bus.reader(name, options)
      return lettersReader(this.#bus, topic, { options, clock: this.#clock })
    }
    return new LateReader(name, open, this.#clock)
  }

  #isPlain(name: string): boolean {
    return isOwnTopic(name) || this.#plain.has(name)
  }

  async grow(
    name: string,
    next?: NextGeneration,
    options: Pick<GrowOptions, 'onStep' | 'signal'> = {},
  ): Promise<Growth> {
    const log = await GrowthLog.find(this.#bus, name, this.#clock)
    if (log === undefined) throw notMadeToGrow(name)
    try {
      return await growTopic(this.#bus, log, next, { ...options, clock: this.#clock, random: this.#random })
    } finally {
      await log.close()
    }
  }

  /** Undefined for a topic that cannot grow, or that is not there. */
  async #find(name: string): Promise<ShardedTopic | undefined> {
    if (this.#isClosed) throw new ClosedError(`the bus "${this.name}"`)
    if (this.#isPlain(name)) return undefined
    const known = this.#topics.get(name)
    if (known !== undefined) return known
    const finding = this.#look(name)
    this.#topics.set(name, finding)
    // What is not there may be there the next time.
    const forget = () => this.#topics.delete(name)
    finding.then((found) => found ?? forget(), forget)
    return finding
  }

  async #look(name: string): Promise<ShardedTopic | undefined> {
    const log = await GrowthLog.find(this.#bus, name, this.#clock)
    if (log === undefined) return undefined
    if (log.generations.all.length > 0) return this.#keep(log)
    // Whoever was making it has not come to its end.
    await log.close()
    return undefined
  }

  async #forget(name: string): Promise<void> {
    const topic = this.#sharded.get(name)
    this.#sharded.delete(name)
    this.#topics.delete(name)
    await topic?.close()
  }

  /** What is written in a transaction takes effect when its broker says so, whatever has been sealed meanwhile. */
  async #transaction(options: TransactionOptions): Promise<Transaction> {
    const transaction = await this.#bus.transaction!(options)
    const sharded = this.#sharded
    return {
      write(topic, batch) {
        if (!sharded.has(topic)) return transaction.write(topic, batch)
        const reason = `what a transaction writes cannot be put before or behind the end of a generation of "${topic}"`
        return Promise.reject(new UnsupportedError('transactions on a topic that grows', reason))
      },
      acknowledge: (reader, through, generation) => transaction.acknowledge(reader, through, generation),
      commit: () => transaction.commit(),
      abort: () => transaction.abort(),
    }
  }

  async drain(): Promise<void> {
    await Promise.all([...this.#writers].map((writer) => writer.drain()))
    await this.#bus.drain()
    await this.#end()
  }

  async close(): Promise<void> {
    await this.#end()
    await this.#bus.close()
  }

  async #end(): Promise<void> {
    this.#isClosed = true
    await Promise.all([...this.#sharded.values()].map((topic) => topic.close()))
  }
}

/** Wraps a bus. Closing it closes the bus. */
export function shardedBus(bus: Bus, options: ShardedBusOptions): GrowingBus {
  return new ShardedBus(bus, options)
}

function isNotFound(error: unknown): boolean {
  return error instanceof SkeinError && error.code === 'not-found'
}

function notMadeToGrow(name: string): UnsupportedError {
  return new UnsupportedError(
    'growth',
    `topic "${name}" was not made to grow: whoever writes to it would not know; make a new one with \`sharding\` and move it there with skein bridge`,
    { details: { topic: name } },
  )
}

function checkSharding(spec: TopicSpec, { level, values, leaseMs = LEASE_MS }: Sharding): ShardsByLevel | undefined {
  const refuse = (why: string) => {
    throw new SkeinError('bad-argument', `Cannot open topic "${spec.name}": ${why}`, { details: { topic: spec.name } })
  }
  if (spec.storage === 'ephemeral' || spec.storage === 'work' || spec.compaction !== undefined) {
    throw new UnsupportedError('growth', `topic "${spec.name}" must be a log that is not compacted`)
  }
  if (!Number.isSafeInteger(leaseMs) || leaseMs < LEASE_MS_LEAST)
    refuse(`sharding.leaseMs must be at least ${LEASE_MS_LEAST}`)
  if (level === undefined && values === undefined) return undefined
  if (level === undefined || !Number.isSafeInteger(level) || level < 1) refuse('sharding.level must be 1 or more')
  if (values === undefined || values.length === 0) refuse('sharding.values must name what may stand at that level')
  for (const value of values!) checkSubject(value, 'shard')
  if (values!.some((value) => value.includes('.'))) refuse('sharding.values must each be one level')
  if (new Set(values).size < values!.length) refuse('sharding.values names one twice')
  return { level: level!, values: values! }
}
