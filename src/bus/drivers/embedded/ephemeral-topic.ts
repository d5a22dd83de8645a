import { type Clock, UnsupportedError } from '../../../core/index.ts'
import type { Capabilities, Message, ReaderOptions, Receipt, Writer, WriterOptions } from '../../index.ts'
import { MessageChecker, SubjectIndex, type TopicSettings } from '../../kit/index.ts'
import { EphemeralDelivery } from './ephemeral-delivery.ts'
import type { EphemeralFanOut } from './ephemeral-fan-out.ts'
import { EphemeralReader } from './ephemeral-reader.ts'
import { EphemeralWriter } from './ephemeral-writer.ts'
import { grantDurability } from './topic.ts'

const ALL = ['>']
const NOTHING: readonly never[] = Object.freeze([])

/** Fan-out to the readers that are there; nothing is stored. */
export class EphemeralTopic implements EphemeralFanOut {
  readonly kind = 'ephemeral'
  readonly settings: TopicSettings
  readonly capabilities: Capabilities
  readonly #clock: Clock
  readonly #checker: MessageChecker
  readonly #readers = new Map<EphemeralReader, readonly string[]>()
  readonly #writers = new Set<EphemeralWriter>()
  readonly #index = new SubjectIndex<EphemeralReader>()
  #sequence = 0

  constructor(settings: TopicSettings, clock: Clock) {
    this.settings = settings
    this.#clock = clock
    this.#checker = new MessageChecker(settings)
    this.capabilities = ephemeralCapabilities(settings)
  }

  get nextSequence(): number {
    return this.#sequence
  }

  writer(options: WriterOptions, onClosed: (writer: Writer) => void): Writer {
    grantDurability(options.durability ?? 'none', 'none', `ephemeral topic "${this.settings.name}"`)
    const writer = new EphemeralWriter(this, options, () => {
      this.#writers.delete(writer)
      onClosed(writer)
    })
    this.#writers.add(writer)
    return writer
  }

  reader(options: ReaderOptions, onClosed: (reader: EphemeralReader) => void): EphemeralReader {
    if (options.mode === 'group') {
      throw new UnsupportedError(
        'a group reader',
        `topic "${this.settings.name}" is ephemeral and keeps no place of a group; read it as broadcast`,
      )
    }
    if (options.from !== undefined && options.from !== 'latest') {
      throw new UnsupportedError(
        'replay',
        `topic "${this.settings.name}" is ephemeral and stores nothing; read it from "latest"`,
      )
    }
    const reader = new EphemeralReader(this, {
      options,
      clock: this.#clock,
      onClosed: () => {
        this.#removeReader(reader)
        onClosed(reader)
      },
    })
    const filters = options.subjects ?? ALL
    this.#readers.set(reader, filters)
    for (const filter of filters) this.#index.add(filter, reader)
    return reader
  }

  #removeReader(reader: EphemeralReader): void {
    for (const filter of this.#readers.get(reader) ?? NOTHING) this.#index.remove(filter, reader)
    this.#readers.delete(reader)
  }

  publish(batch: readonly Message[]): { readonly receipt: Receipt; readonly slow: readonly EphemeralReader[] } {
    for (const [index, message] of batch.entries()) this.#checker.check(message, index)
    const appendedAtMs = this.#clock.nowMs()
    const topic = this.settings.name
    const slow = new Set<EphemeralReader>()
    const touched = new Set<EphemeralReader>()
    for (const message of batch) {
      const delivery = new EphemeralDelivery(message, { topic, sequence: this.#sequence, appendedAtMs })
      this.#sequence += 1
      const wanting = new Set<EphemeralReader>()
      this.#index.match(message.subject, (reader) => wanting.add(reader))
      for (const reader of wanting) {
        touched.add(reader)
        if (!reader.offer(delivery)) slow.add(reader)
      }
    }
    for (const reader of touched) reader.wake()
    return { receipt: this.#receipt(batch.length), slow: [...slow] }
  }

  #receipt(accepted: number): Receipt {
    const positions = [{ partition: 0, sequence: this.#sequence - 1 }]
    return { positions, accepted, duplicates: NOTHING, conflated: NOTHING, durability: 'none', asserted: false }
  }

  close(): void {
    for (const reader of [...this.#readers.keys()]) void reader.close()
    for (const writer of [...this.#writers]) void writer.close()
  }
}

function ephemeralCapabilities(settings: TopicSettings): Capabilities {
  return {
    driver: 'embedded',
    durability: 'none',
    order: 'native',
    groups: 'none',
    broadcast: 'native',
    deduplication: 'none',
    retry: 'none',
    deadLetters: 'none',
    replayByPosition: 'none',
    replayByTime: 'none',
    ttl: 'native',
    wildcards: 'native',
    compaction: 'none',
    headers: 'native',
    lag: 'native',
    requests: 'native',
    backPressure: 'native',
    transactions: 'none',
    totalOrder: false,
    messageBytesMax: settings.messageBytesMax,
    partitions: settings.partitions,
  }
}
