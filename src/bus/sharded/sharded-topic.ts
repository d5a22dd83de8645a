import { type Clock, SkeinError } from '../../core/index.ts'
import type { Bus, Sharding, TopicSpec } from '../bus.ts'
import type { Capabilities } from '../capabilities.ts'
import { endOf, type Generation, type Generations, type Part } from './generations.ts'
import type { GrowthLog } from './growth-log.ts'

/** A generation is closed for little more than a lease. After so many, whoever was to open the next is not waited for. */
const PATIENCE_LEASES = 10

export interface ShardedTopicParts {
  readonly bus: Bus
  readonly clock: Clock
  /** Goes on with what a grower has left. */
  readonly finishGrowth: () => Promise<void>
}

/**
 * What is known of a sharded topic, and for how long it holds. A grower that has closed a generation waits for the lease of
 * everybody who may not have read so: what somebody has of a generation while his lease is in force stands before its end.
 * Leases are measured from before the look that grants them, by clocks that only need to run at about the same rate.
 */
export class ShardedTopic {
  readonly name: string
  readonly #log: GrowthLog
  readonly #bus: Bus
  readonly #clock: Clock
  readonly #finishGrowth: () => Promise<void>
  /** Of which generation, and until when by `#now()`. */
  #lease = { generation: 0, untilMs: 0 }
  #looking: Promise<number> | undefined
  /** Parts that are open on the bus. */
  readonly #ready = new Set<string>()

  constructor(log: GrowthLog, parts: ShardedTopicParts) {
    this.name = log.topic
    this.#log = log
    this.#bus = parts.bus
    this.#clock = parts.clock
    this.#finishGrowth = parts.finishGrowth
  }

  get generations(): Generations {
    return this.#log.generations
  }

  /** A clock that did not count a suspension would let a lease live through it. */
  #now(): number {
    return this.#clock.monotonicMs() + this.#clock.missedMs()
  }

  /** Whether what is there of a generation now certainly stands before its end. Looks anew in time, without anybody waiting. */
  isCertain(generation: number): boolean {
    const now = this.#now()
    if (this.#lease.generation !== generation || now >= this.#lease.untilMs) return false
    if (now > this.#lease.untilMs - this.generations.leaseMs / 2) this.#look().catch(() => {})
    return true
  }

  /**
   * Resolves once it is known which of what is there of a generation now counts: all of it, or what stands before the
   * ends of its partitions, when the generation that it resolves to is sealed.
   */
  async known(number: number, signal?: AbortSignal): Promise<Generation> {
    const sinceMs = this.#now()
    for (;;) {
      const generation = this.generations.all[number - 1]!
      if (generation.state === 'sealed' || this.isCertain(number)) return generation
      if (generation.state !== 'open') await this.nothingClosing(signal)
      else if ((await this.#look()) >= sinceMs && this.generations.open?.number === number) return generation
    }
  }

  /** Looks whether the topic grows. Resolves to when it began to look. */
  #look(): Promise<number> {
    this.#looking ??= this.#lookOnce().finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  async #lookOnce(): Promise<number> {
    const beganMs = this.#now()
    await this.#log.caughtUp()
    const { open, leaseMs } = this.generations
    if (open !== undefined) this.#lease = { generation: open.number, untilMs: beganMs + leaseMs }
    return beganMs
  }

  /** Resolves when nothing is closing any more. Whoever grows the topic may have died: then that is finished here. */
  async nothingClosing(signal?: AbortSignal): Promise<void> {
    const sinceMs = this.#clock.monotonicMs()
    const patienceMs = this.generations.leaseMs * PATIENCE_LEASES
    while (this.generations.closing !== undefined) {
      const leftMs = patienceMs - (this.#clock.monotonicMs() - sinceMs)
      if (leftMs > 0) await this.#log.changed({ signal, delayMs: leftMs })
      else await this.#finishGrowth()
    }
  }

  /** Resolves once what was written of its growth before the call is known. */
  caughtUp(signal?: AbortSignal): Promise<void> {
    return this.#log.caughtUp(signal)
  }

  innerName(part: Pick<Part, 'prefix'>): string {
    return part.prefix + this.name
  }

  get sharding(): Sharding {
    const { level, leaseMs, all } = this.generations
    if (level === undefined) return { leaseMs }
    return { level, values: all.at(-1)!.parts.map(({ value }) => value!), leaseMs }
  }

  /** Throws `bad-argument` for a spec that asks for partitions or shards that the topic has in no generation. */
  check({ partitions, sharding }: TopicSpec): void {
    const { all, level } = this.generations
    const had = [...new Set(all.map(({ parts }) => parts[0]!.partitions))]
    if (partitions !== undefined && !had.includes(partitions)) {
      this.#refuse(
        'partitions',
        `it has ${had.at(-1)} partitions, not ${partitions}; let it grow with skein topics grow`,
      )
    }
    if (sharding !== undefined && sharding.level !== level) {
      this.#refuse(
        'sharding',
        `it is divided by ${level === undefined ? 'no level' : `level ${level}`} of its subjects`,
      )
    }
  }

  #refuse(setting: string, why: string): never {
    const details = { topic: this.name, setting }
    throw new SkeinError('bad-argument', `Cannot open topic "${this.name}": ${why}`, { details })
  }

  /** Of the whole topic, by those of its newest part. */
  capabilitiesOf(part: Capabilities): Capabilities {
    const { parts } = this.generations.begun.at(-1)!
    const last = parts.at(-1)!
    return { ...part, partitions: last.firstPartition + last.partitions, transactions: 'none' }
  }

  /** Whether a generation can be written to and read from without anything else. */
  isReady({ parts }: Generation): boolean {
    return parts.every((part) => this.#ready.has(this.innerName(part)))
  }

  /** Opens its topics on the bus, with what is asked of them. */
  async openAs(asked: Omit<TopicSpec, 'name' | 'partitions'>): Promise<Capabilities> {
    const granted: Capabilities[] = []
    for (const part of this.generations.begun.flatMap(({ parts }) => parts)) {
      const name = this.innerName(part)
      granted.push(await this.#bus.open({ ...asked, name, partitions: part.partitions }))
      this.#ready.add(name)
    }
    return this.capabilitiesOf(granted.at(-1)!)
  }

  /** Its topics are open on the bus then, as they are. */
  async openParts({ parts }: Pick<Generation, 'parts'>): Promise<void> {
    await Promise.all(parts.map((part) => this.#openPart(this.innerName(part))))
  }

  async #openPart(inner: string): Promise<void> {
    if (this.#ready.has(inner)) return
    const { spec } = await this.#bus.admin.describeTopic(inner)
    await this.#bus.open(spec)
    this.#ready.add(inner)
  }

  /** The spec of the topic, as its newest generation has it. */
  async spec(): Promise<TopicSpec> {
    const newest = this.generations.begun.at(-1)!
    const { spec } = await this.#bus.admin.describeTopic(this.innerName(newest.parts[0]!))
    return { ...spec, name: this.name }
  }

  /** The part that a message belongs to. Throws `bad-subject` for one that the topic is not divided into. */
  partOf(generation: Generation, subject: string): Part {
    const { level } = this.generations
    if (level === undefined) return generation.parts[0]!
    const value = subject.slice(this.name.length + 1).split('.', level)[level - 1]
    const part = generation.parts.find((one) => one.value === value)
    if (part !== undefined) return part
    const values = generation.parts.map((one) => one.value).join(', ')
    throw new SkeinError(
      'bad-subject',
      `Cannot write "${subject}": level ${level} behind "${this.name}" must be one of ${values}; let the topic grow by a shard, or use one of these`,
      { details: { subject, topic: this.name, level } },
    )
  }

  /** Those of a reader's filters under which something of a part may stand. */
  subjectsOf({ value }: Part, filters: readonly string[]): readonly string[] {
    const { level } = this.generations
    if (level === undefined) return filters
    const at = this.name.split('.').length + level - 1
    return filters.filter((filter) => {
      const tokens = filter.split('.')
      const end = tokens.indexOf('>')
      return (end !== -1 && end <= at) || tokens[at] === '*' || tokens[at] === value
    })
  }

  close(): Promise<void> {
    return this.#log.close()
  }
}

/** The partition of the whole topic that a part's own is. */
export function outerPartition({ firstPartition }: Part, partition: number): number {
  return firstPartition + partition
}

/** Whether a place of the whole topic counts. */
export function counts(
  generation: Generation,
  place: { readonly partition: number; readonly sequence: number },
): boolean {
  const end = endOf(generation, place.partition)
  return end === undefined || place.sequence < end
}
