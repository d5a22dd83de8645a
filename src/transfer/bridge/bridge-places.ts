import type { Bus, Position, TopicDescription } from '../../bus/index.ts'
import { SkeinError } from '../../core/index.ts'
import { openOwnTopic } from '../own-topic.ts'
import { readToEnd } from '../read-to-end.ts'

const RECORDS_READ_MAX = 1_000

/** How far a partition of the source is, and where the target has to be searched for what came after. */
export interface BridgePlace {
  /** Of the source: everything before it is in the target and acknowledged. */
  readonly next: number
  /** By partition of the target: whatever was moved from `next` on stands at these places or behind them. */
  readonly scan: readonly number[]
}

interface PlacesRecord {
  readonly version: 1
  readonly source: string
  readonly target: string
  readonly places: Readonly<Record<string, number>>
  readonly scan: readonly number[]
}

/** What a bridge remembers, in a topic of its own on the target's broker: a few numbers a second, the newest count. */
export class BridgePlaces {
  readonly #bus: Bus
  readonly #topic: string
  readonly #between: { readonly source: string; readonly target: string }

  /** `source` and `target`: `broker/topic`. */
  constructor(bus: Bus, topic: string, between: { readonly source: string; readonly target: string }) {
    this.#bus = bus
    this.#topic = topic
    this.#between = between
  }

  /** By partition of the source. Rejects with `bad-config` when a bridge of this name moves other topics. */
  async load(signal?: AbortSignal): Promise<ReadonlyMap<number, BridgePlace>> {
    const { partitions } = await openOwnTopic(this.#bus, this.#topic, { keepsAll: false })
    const found = new Map<number, BridgePlace>()
    for await (const deliveries of readToEnd(this.#bus, this.#topic, { from: [newest(partitions[0]!)], signal })) {
      for (const delivery of deliveries) this.#take(JSON.parse(delivery.text()) as PlacesRecord, found)
    }
    return found
  }

  /** Two processes of one bridge note their own partitions: of each the furthest place counts. */
  #take(record: PlacesRecord, found: Map<number, BridgePlace>): void {
    this.#check(record)
    for (const [text, next] of Object.entries(record.places)) {
      const partition = Number(text)
      if (next >= (found.get(partition)?.next ?? 0)) found.set(partition, { next, scan: record.scan })
    }
  }

  #check({ version, source, target }: PlacesRecord): void {
    const { source: ourSource, target: ourTarget } = this.#between
    if (version !== 1) {
      throw new SkeinError(
        'future-version',
        `Cannot read the places in "${this.#topic}": version ${version}, this build reads 1`,
      )
    }
    if (source === ourSource && target === ourTarget) return
    throw new SkeinError(
      'bad-config',
      `Cannot use this bridge's name: a bridge of that name moves ${source} to ${target}, this one ${ourSource} to ${ourTarget}; give it another`,
      { details: { source, target } },
    )
  }

  async save(places: ReadonlyMap<number, number>, scan: readonly number[]): Promise<void> {
    const record: PlacesRecord = { version: 1, ...this.#between, places: Object.fromEntries(places), scan }
    const writer = this.#bus.writer(this.#topic)
    try {
      await writer.write([{ subject: this.#topic, value: JSON.stringify(record) }])
    } finally {
      await writer.close()
    }
  }
}

function newest({ start, end }: TopicDescription['partitions'][number]): Position {
  return { partition: 0, sequence: Math.max(start.sequence, end.sequence - RECORDS_READ_MAX) }
}
