import type { GrowthRecord, NextGeneration, ShardsByLevel } from './growth-record.ts'
import { innerPrefix } from './inner-names.ts'

/** One topic of the broker: a shard of a generation. */
export interface Part {
  /** In front of the topic's name, and of subjects. */
  readonly prefix: string
  /** What stands there for whoever reads the whole topic. Default: nothing. */
  readonly outerPrefix?: string
  /** What its messages have at the level that divides them; undefined where nothing does. */
  readonly value: string | undefined
  readonly partitions: number
  /** Its partition 0 is this one of the whole topic: partitions are numbered on over all parts of all generations. */
  readonly firstPartition: number
}

export interface Generation {
  /** From 1 on. */
  readonly number: number
  readonly parts: readonly Part[]
  /**
   * `next`: the one before is not sealed yet. `open`: written to. `closing`: nothing new is written to it. `sealed`: nothing
   * behind its ends counts.
   */
  readonly state: 'next' | 'open' | 'closing' | 'sealed'
  /** Of each of its partitions, exclusive; once it is sealed. */
  readonly ends?: readonly number[]
}

/** What the records of a growth topic say, read in order. Pure: whoever has read as far knows the same. */
export class Generations {
  #all: readonly Generation[] = []
  #grower: string | undefined
  #leaseMs = 0
  #level: number | undefined

  /** Empty until the first record. */
  get all(): readonly Generation[] {
    return this.#all
  }

  /** Whose records count. */
  get grower(): string | undefined {
    return this.#grower
  }

  /** Who looked whether the topic grows need not look again for so long. */
  get leaseMs(): number {
    return this.#leaseMs
  }

  /** Of subjects, behind the topic's name, that says which part a message belongs to. Undefined: there is one part. */
  get level(): number | undefined {
    return this.#level
  }

  /** The one that is written to; undefined while none is: before the first record, and while one is closing. */
  get open(): Generation | undefined {
    return this.#all.findLast(({ state }) => state === 'open')
  }

  get closing(): Generation | undefined {
    return this.#all.findLast(({ state }) => state === 'closing')
  }

  /** All that may hold messages. */
  get begun(): readonly Generation[] {
    return this.#all.filter(({ state }) => state !== 'next')
  }

  apply(record: GrowthRecord): void {
    switch (record.kind) {
      case 'began':
        if (this.#all.length === 0) this.#begin(record)
        break
      case 'claim':
        this.#grower = record.grower
        break
      case 'closing':
        if (record.grower === this.#grower) this.#close(record)
        break
      case 'sealed':
        if (record.grower === this.#grower) this.#seal(record)
        break
    }
  }

  #begin({ partitions, leaseMs, shards }: GrowthRecord & { readonly kind: 'began' }): void {
    this.#leaseMs = leaseMs
    this.#level = shards?.level
    this.#all = [generation(1, 0, { partitions, ...valuesOf(shards) })]
  }

  #close(record: GrowthRecord & { readonly kind: 'closing' }): void {
    const last = this.#all.at(-1)
    // A grower who goes on with what another began does not begin it anew.
    if (last?.state !== 'open' || last.number !== record.generation || !this.#fits(record)) return
    const next = generation(last.number + 1, partitionsEnd(last), record)
    this.#all = [...this.#all.slice(0, -1), { ...last, state: 'closing' }, { ...next, state: 'next' }]
  }

  /** It is divided as the topic was from its beginning. */
  #fits({ values }: NextGeneration): boolean {
    return (values === undefined) === (this.#level === undefined)
  }

  #seal({ generation: number, ends }: GrowthRecord & { readonly kind: 'sealed' }): void {
    const [closing, next] = this.#all.slice(-2)
    if (closing?.state !== 'closing' || next === undefined) return
    if (closing.number !== number || ends.length !== partitionsEnd(closing) - closing.parts[0]!.firstPartition) return
    this.#all = [...this.#all.slice(0, -2), { ...closing, state: 'sealed', ends }, { ...next, state: 'open' }]
  }
}

const valuesOf = (shards: ShardsByLevel | undefined) => (shards === undefined ? {} : { values: shards.values })

function generation(number: number, firstPartition: number, next: NextGeneration): Generation {
  return { number, parts: partsOf(number, next, firstPartition), state: 'open' }
}

/** The parts of a generation. */
export function partsOf(number: number, { partitions, values }: NextGeneration, firstPartition = 0): Part[] {
  const shards: readonly (string | undefined)[] = values ?? [undefined]
  return shards.map((value, index) => {
    return {
      prefix: innerPrefix(number, value),
      value,
      partitions,
      firstPartition: firstPartition + index * partitions,
    }
  })
}

/** One past the last partition of a generation. */
function partitionsEnd({ parts }: Generation): number {
  const last = parts.at(-1)!
  return last.firstPartition + last.partitions
}

/** The end of what counts in a partition of the whole topic; undefined while that is open. */
export function endOf({ ends, parts }: Generation, partition: number): number | undefined {
  return ends?.[partition - parts[0]!.firstPartition]
}
