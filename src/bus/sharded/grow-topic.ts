import { type Clock, type Random, SkeinError } from '../../core/index.ts'
import type { Bus } from '../bus.ts'
import { backlog } from './backlog.ts'
import { type Generation, partsOf } from './generations.ts'
import type { GrowthLog } from './growth-log.ts'
import type { NextGeneration } from './growth-record.ts'
import { ShardedTopic } from './sharded-topic.ts'

/** A grower's clock may run faster than a writer's by as much. */
const MARGIN = 1.1
const ID_BYTES = 9
const SLEEP_MS_MAX = 100

export interface Growth {
  readonly topic: string
  /** The one that is open now. */
  readonly generation: number
  /** Of that generation, over all its shards. */
  readonly partitions: number
}

export type GrowthStep = 'claimed' | 'made' | 'closing' | 'waited' | 'sealed'

export interface GrowOptions {
  readonly clock: Clock
  readonly random: Random
  /** After each step, with the generation that comes. */
  readonly onStep?: (step: GrowthStep, generation: number) => void
  readonly signal?: AbortSignal | undefined
}

/**
 * Lets a topic go on in a new generation: its topics are made, the last one is closed and, once nobody can believe any more
 * that it is open, sealed where it ends. Every step may be the last of a grower that dies: whoever comes next goes on
 * with it, as it was begun. Resolves at once when the newest generation is as asked. Rejects with `fenced` when another
 * grower has taken over.
 */
export async function growTopic(
  bus: Bus,
  log: GrowthLog,
  next: NextGeneration | undefined,
  options: GrowOptions,
): Promise<Growth> {
  const grower = new Grower(bus, log, options)
  await grower.claim()
  await grower.finish()
  if (next !== undefined) await grower.grow(next)
  return grower.reached
}

class Grower {
  readonly #bus: Bus
  readonly #log: GrowthLog
  readonly #options: GrowOptions
  readonly #topic: ShardedTopic
  readonly #id: string

  constructor(bus: Bus, log: GrowthLog, options: GrowOptions) {
    this.#bus = bus
    this.#log = log
    this.#options = options
    // It asks for nothing that waits for a grower.
    this.#topic = new ShardedTopic(log, { bus, clock: options.clock, finishGrowth: async () => {} })
    this.#id = Buffer.from(options.random.bytes(ID_BYTES)).toString('base64url')
  }

  get reached(): Growth {
    const { number, parts } = this.#log.generations.open!
    return {
      topic: this.#log.topic,
      generation: number,
      partitions: parts.reduce((sum, part) => sum + part.partitions, 0),
    }
  }

  async claim(): Promise<void> {
    await this.#log.append({ kind: 'claim', grower: this.#id })
    this.#checkClaim()
    this.#options.onStep?.('claimed', this.#log.generations.all.length)
  }

  #checkClaim(): void {
    if (this.#log.generations.grower === this.#id) return
    throw new SkeinError(
      'fenced',
      `Cannot grow "${this.#log.topic}": somebody else has begun to since; look at what he does, or begin again`,
      { details: { topic: this.#log.topic } },
    )
  }

  async grow(wanted: NextGeneration): Promise<void> {
    const last = this.#log.generations.open!
    const next = { values: valuesOf(last), ...wanted }
    this.#check(next)
    if (isAs(last, next)) return
    await this.#make(last.number + 1, next)
    this.#options.onStep?.('made', last.number + 1)
    const { values, partitions } = next
    await this.#log.append({
      ...{ kind: 'closing', grower: this.#id, generation: last.number, partitions },
      ...(values !== undefined && { values }),
    })
    this.#checkClaim()
    await this.finish()
  }

  #check({ partitions, values }: NextGeneration): void {
    const { level } = this.#log.generations
    const why =
      (!(Number.isSafeInteger(partitions) && partitions > 0) &&
        `it must have at least one partition, not ${partitions}`) ||
      (values !== undefined && level === undefined && 'it is not divided by subject') ||
      (values?.length === 0 && 'it needs at least one shard')
    if (why) throw new SkeinError('bad-argument', `Cannot grow "${this.#log.topic}": ${why}`, { details: { why } })
  }

  /** Topics as those of the generation before, but for their number. Made before anything is closed: what fails, fails here. */
  async #make(generation: number, next: NextGeneration): Promise<void> {
    const spec = await this.#topic.spec()
    for (const { prefix } of partsOf(generation, next)) {
      await this.#bus.open({ ...spec, name: prefix + this.#log.topic, partitions: next.partitions })
    }
  }

  /** Goes on with what is closing, if anything is. */
  async finish(): Promise<void> {
    const { closing } = this.#log.generations
    if (closing === undefined) return
    const { onStep } = this.#options
    const next = this.#log.generations.all.at(-1)!
    onStep?.('closing', next.number)
    await this.#make(next.number, { partitions: next.parts[0]!.partitions, ...withValues(next) })
    await this.#waitForLeases()
    onStep?.('waited', next.number)
    const ends = (await backlog(this.#bus, this.#topic, closing)).map(({ end }) => end.sequence)
    await this.#log.append({ kind: 'sealed', grower: this.#id, generation: closing.number, ends })
    this.#checkClaim()
    onStep?.('sealed', next.number)
  }

  /** Whoever looked last before the closing was written believes for so long that the generation is open. */
  async #waitForLeases(): Promise<void> {
    const { clock, signal } = this.#options
    const sinceMs = clock.monotonicMs()
    const waitMs = this.#log.generations.leaseMs * MARGIN
    for (let left = waitMs; left > 0; left = waitMs - (clock.monotonicMs() - sinceMs)) {
      await clock.sleep(Math.min(left, SLEEP_MS_MAX), { ...(signal && { signal }) })
      this.#checkClaim()
    }
  }
}

function valuesOf({ parts }: Generation): readonly string[] | undefined {
  const values = parts.flatMap(({ value }) => (value === undefined ? [] : [value]))
  return values.length === 0 ? undefined : values
}

const withValues = (generation: Generation) => {
  const values = valuesOf(generation)
  return values === undefined ? {} : { values }
}

function isAs(last: Generation, { partitions, values }: NextGeneration): boolean {
  const same = String(valuesOf(last) ?? '') === String(values ?? '')
  return same && last.parts.every((part) => part.partitions === partitions)
}
