import {
  checkPlaces,
  type Delivery,
  type Position,
  type StartPosition,
  type TopicDescription,
} from '../../bus/index.ts'
import { SkeinError } from '../../core/index.ts'

/**
 * Where a broadcast consumer is, in all partitions of a topic: what it gets back as `Last-Event-ID` or `next`. As text,
 * `0:12,1:33` (the next sequence of each partition), led by `@1700000000000,` when reading began at a time and some
 * partitions have given nothing yet.
 */
export class Cursor {
  readonly #timestampMs: number | undefined
  readonly #next: Map<number, number>

  private constructor(timestampMs: number | undefined, next: Map<number, number>) {
    this.#timestampMs = timestampMs
    this.#next = next
  }

  static startingAt(from: StartPosition, topic: TopicDescription): Cursor {
    if (typeof from === 'object' && 'timestampMs' in from) return new Cursor(from.timestampMs, new Map())
    const edges = topic.partitions.map(({ start, end }) => (from === 'latest' ? end : start))
    const next = new Map(edges.map(({ partition, sequence }) => [partition, sequence]))
    if (typeof from === 'object') {
      for (const position of [from].flat() as readonly Position[]) next.set(position.partition, position.sequence)
    }
    return new Cursor(undefined, next)
  }

  /** Reads what `toString()` gave. Throws `bad-argument`, and `position-gone` for a place behind the end. */
  static parse(text: string, topic: TopicDescription): Cursor {
    const match = /^(?:@(\d{1,15}),?)?((?:\d{1,6}:\d{1,16})(?:,\d{1,6}:\d{1,16})*)?$/.exec(text)
    if (!match || text === '')
      throw new SkeinError(
        'bad-argument',
        `Cannot resume at "${text}": give \`next\` of an answer, or partition:sequence pairs with commas between`,
      )
    const positions = (match[2]?.split(',') ?? []).map((pair) => {
      const [partition, sequence] = pair.split(':').map(Number)
      return { partition: partition!, sequence: sequence! }
    })
    checkPlaces(positions, topic)
    const next = new Map(positions.map(({ partition, sequence }) => [partition, sequence]))
    if (match[1] !== undefined) return new Cursor(Number(match[1]), next)
    return Cursor.startingAt(positions, topic)
  }

  /** Where a reader has to start. */
  get start(): StartPosition {
    if (this.#timestampMs !== undefined) return { timestampMs: this.#timestampMs }
    return [...this.#next].map(([partition, sequence]) => ({ partition, sequence }))
  }

  /** Moves past a delivery; false for one that the cursor is past already. */
  pass({ position: { partition, sequence } }: Delivery): boolean {
    if (sequence < (this.#next.get(partition) ?? 0)) return false
    this.#next.set(partition, sequence + 1)
    return true
  }

  toString(): string {
    const pairs = [...this.#next].map(([partition, sequence]) => `${partition}:${sequence}`)
    return [...(this.#timestampMs === undefined ? [] : [`@${this.#timestampMs}`]), ...pairs].join(',')
  }
}
