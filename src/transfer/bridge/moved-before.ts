import type { Batch, Bus, Delivery } from '../../bus/index.ts'
import { readToEnd } from '../read-to-end.ts'
import type { BridgePlace } from './bridge-places.ts'
import { movedToken } from './bridged-message.ts'

export interface MovedBeforeParts {
  readonly bus: Bus
  readonly topic: string
  /** `name@broker` */
  readonly bridge: string
  readonly load: () => Promise<ReadonlyMap<number, BridgePlace>>
  readonly signal: AbortSignal
}

/** Of one partition of the source: what is in the target and may be given again. */
interface KnownTokens {
  readonly tokens: Set<string>
  /** The last of them: nothing behind it is known, and nothing has to be looked up. */
  through: number
  /** By partition of the target: they stand there or behind. */
  readonly from: readonly number[]
}

/**
 * Which messages of the source are in the target already. Asked when a partition comes to this process, and after a write
 * whose result is not known: then the target itself is read, from the noted place to its end, for it alone is always right.
 */
export class MovedBefore {
  readonly #parts: MovedBeforeParts
  /** Partition of the source → the assignment under which the target was searched for it. */
  readonly #searched = new Map<number, number>()
  readonly #known = new Map<number, KnownTokens>()
  /** By partition of the target: what is moved from now on comes there or behind. */
  #ends: number[] = []

  constructor(parts: MovedBeforeParts) {
    this.#parts = parts
  }

  /**
   * Where the target has to be searched for what is not acknowledged yet: what is moved from now on, and what was found there
   * and has not been given again.
   */
  searchFrom(): readonly number[] {
    let from: readonly number[] = this.#ends
    for (const known of this.#known.values()) from = from.map((end, at) => Math.min(end, known.from[at] ?? 0))
    return [...from]
  }

  noteStored(partition: number, sequence: number): void {
    this.#ends[partition] = Math.max(this.#ends[partition] ?? 0, sequence + 1)
  }

  /** Before the first message of a partition under an assignment: another process may have moved some of them. */
  async search({ partition, generation, deliveries }: Batch): Promise<void> {
    if (this.#searched.get(partition) === generation) return
    const first = deliveries[0]!.position.sequence
    const place = (await this.#parts.load()).get(partition)
    // A source that begins again before the noted place lost its own: then all of the target tells.
    const isNoted = place !== undefined && first >= place.next
    const { known, ends } = await this.#read({ from: isNoted ? place.scan : undefined, partition, first })
    if (known.tokens.size === 0) this.#known.delete(partition)
    else this.#known.set(partition, known)
    for (const [at, end] of ends.entries()) this.noteStored(at, end - 1)
    this.#searched.set(partition, generation)
  }

  /**
   * After a write that may have stored some of them. The ends stay where they are: until all of the write is acknowledged,
   * whoever comes after this process must find what it stored.
   */
  async searchAgain(unknown: readonly Delivery[]): Promise<void> {
    const from = [...this.#ends]
    const firsts = new Map<number, number>()
    for (const { position } of unknown) {
      const first = firsts.get(position.partition)
      if (first === undefined || position.sequence < first) firsts.set(position.partition, position.sequence)
    }
    for (const [partition, first] of firsts) {
      const { known } = await this.#read({ from, partition, first })
      const before = this.#known.get(partition)
      if (known.tokens.size > 0) this.#known.set(partition, before === undefined ? known : union(before, known))
    }
  }

  /** Another process has the partition now. */
  forget(partition: number): void {
    this.#known.delete(partition)
    this.#searched.delete(partition)
  }

  /** Asked of each message in the order of its partition. */
  has(partition: number, sequence: number, token: string): boolean {
    const known = this.#known.get(partition)
    if (known === undefined) return false
    if (sequence > known.through) {
      this.#known.delete(partition)
      return false
    }
    return known.tokens.has(token)
  }

  async #read(where: {
    readonly from: readonly number[] | undefined
    readonly partition: number
    readonly first: number
  }): Promise<{ readonly known: KnownTokens; readonly ends: readonly number[] }> {
    const { bus, topic, bridge, signal } = this.#parts
    const { partitions } = await bus.admin.describeTopic(topic)
    const from = partitions.map(({ partition, start }) => ({
      partition,
      sequence: Math.max(start.sequence, where.from?.[partition] ?? 0),
    }))
    const known = { tokens: new Set<string>(), through: -1, from: from.map(({ sequence }) => sequence) }
    const ends: number[] = partitions.map(({ end }) => end.sequence)
    for await (const deliveries of readToEnd(bus, topic, { from, signal })) {
      for (const { headers, position } of deliveries) {
        ends[position.partition] = Math.max(ends[position.partition]!, position.sequence + 1)
        const token = movedToken(headers, bridge)
        if (token !== undefined) note(known, token, where)
      }
    }
    return { known, ends }
  }
}

function union(one: KnownTokens, other: KnownTokens): KnownTokens {
  return {
    tokens: new Set([...one.tokens, ...other.tokens]),
    through: Math.max(one.through, other.through),
    from: one.from.map((sequence, at) => Math.min(sequence, other.from[at] ?? 0)),
  }
}

function note(
  found: KnownTokens,
  token: string,
  { partition, first }: { readonly partition: number; readonly first: number },
): void {
  const [from, place] = token.split('.') as [string, string]
  if (Number(from) !== partition) return
  const sequence = Number.parseInt(place, 36)
  if (sequence < first) return
  found.tokens.add(token)
  found.through = Math.max(found.through, sequence)
}
