import { type Clock, partitionOfKey, SkeinError } from '../../../core/index.ts'
import type { BatchStamp } from '../../../log/index.ts'
import { type Message, type Position, type Receipt, WriteError, type Writer, type WriterOptions } from '../../index.ts'
import { MessageChecker, WriteGate } from '../../kit/index.ts'
import { type GrantedDurability, grantDurability, type LogTopic } from './topic.ts'
import { type Fate, type PartlyAppended, WriteDraft } from './write-draft.ts'

const PENDING_BYTES_MAX = 8 * 1024 * 1024
const NOTHING: readonly never[] = Object.freeze([])

/** What became of the append to one partition; of its repeats, how many were looked at. */
interface Settled {
  readonly failure?: PartlyAppended
  repeated?: number
}

export interface LogWriterParts {
  readonly options: WriterOptions
  readonly clock: Clock
  readonly onClosed: () => void
  /** For batches that are marked as a whole. */
  readonly stamp?: BatchStamp
  /** Of a value. Default: the topic's. */
  readonly messageBytesMax?: number
}

/** Writes into a stored topic: encodes straight into one body per partition, one append each. */
export class LogWriter implements Writer {
  readonly #topic: LogTopic
  readonly #clock: Clock
  readonly #gate: WriteGate
  readonly #checker: MessageChecker
  readonly #durability: GrantedDurability
  readonly #drafts: WriteDraft[]
  readonly #onClosed: () => void

  constructor(topic: LogTopic, parts: LogWriterParts) {
    const { name, durability } = topic.settings
    this.#topic = topic
    this.#clock = parts.clock
    this.#onClosed = parts.onClosed
    this.#gate = new WriteGate(`the writer of "${name}"`, parts.options.pendingBytesMax ?? PENDING_BYTES_MAX)
    this.#checker = new MessageChecker({
      name,
      messageBytesMax: parts.messageBytesMax ?? topic.settings.messageBytesMax,
    })
    this.#durability = grantDurability(
      parts.options.durability ?? durability,
      topic.capabilities.durability,
      `topic "${name}"`,
    )
    this.#drafts = topic.partitions.map((partition) => new WriteDraft(partition, parts.stamp))
  }

  get full(): boolean {
    return this.#gate.full
  }

  write(batch: readonly Message[]): Promise<Receipt> {
    const refusal = this.#gate.refusal()
    if (refusal !== undefined) return Promise.reject(refusal)
    let duplicates: readonly number[]
    try {
      duplicates = this.#encode(batch)
    } catch (error) {
      for (const draft of this.#drafts) draft.discard()
      return Promise.reject(error)
    }
    return this.#append(batch, duplicates)
  }

  /** Puts every message into its partition's draft; the indexes of repeats come back. */
  #encode(batch: readonly Message[]): readonly number[] {
    for (const draft of this.#drafts) draft.partition.makeRoomForIds()
    const nowMs = this.#clock.nowMs()
    let duplicates: number[] | undefined
    for (let index = 0; index < batch.length; index += 1) {
      const message = batch[index]!
      this.#checker.check(message, index)
      const draft = this.#drafts[this.#partitionOf(message)]!
      if (!draft.add(message, nowMs)) {
        duplicates ??= []
        duplicates.push(index)
      }
    }
    return duplicates ?? NOTHING
  }

  #partitionOf(message: Message): number {
    return partitionOfKey(message.key ?? message.subject, this.#drafts.length)
  }

  #append(batch: readonly Message[], duplicates: readonly number[]): Promise<Receipt> {
    let bytes = 0
    const appends: Promise<Position>[] = []
    const drafted: number[] = []
    for (const draft of this.#drafts) {
      if (draft.isEmpty) continue
      const partition = draft.partition.index
      bytes += draft.byteLength
      drafted.push(partition)
      appends.push(draft.append(this.#durability).then((sequence) => ({ partition, sequence })))
    }
    this.#gate.enter(bytes)
    const stored = appends.length === 1 ? appends[0]!.then((position) => [position]) : Promise.all(appends)
    return stored.then(
      (positions) => {
        this.#gate.leave(bytes)
        return this.#receipt(positions, { accepted: batch.length - duplicates.length, duplicates })
      },
      async () => {
        const settled = await Promise.allSettled(appends)
        this.#gate.leave(bytes)
        throw this.#writeError(batch, duplicates, this.#byPartition(drafted, settled))
      },
    )
  }

  #receipt(
    positions: readonly Position[],
    counts: { readonly accepted: number; readonly duplicates: readonly number[] },
  ): Receipt {
    const { accepted, duplicates } = counts
    return {
      positions,
      accepted,
      duplicates,
      conflated: NOTHING,
      durability: this.#durability.receipt,
      asserted: false,
    }
  }

  #byPartition(drafted: readonly number[], settled: readonly PromiseSettledResult<Position>[]): Settled[] {
    const appends: Settled[] = new Array(this.#drafts.length)
    for (const [index, one] of settled.entries()) {
      appends[drafted[index]!] =
        one.status === 'fulfilled' ? {} : { failure: one.reason as PartlyAppended, repeated: 0 }
    }
    return appends
  }

  /** Of each message what is known of it, also of those that stand beside a repeat which is not stored. */
  #writeError(batch: readonly Message[], duplicates: readonly number[], appends: readonly Settled[]): WriteError {
    const accepted: number[] = []
    const unknown: number[] = []
    const repeats = new Set(duplicates)
    for (const [index, message] of batch.entries()) {
      const fate = fateIn(appends[this.#partitionOf(message)], repeats.has(index))
      if (fate === 'stored') accepted.push(index)
      else if (fate === 'unknown') unknown.push(index)
    }
    const cause = appends.find((one) => one?.failure !== undefined)!.failure!.cause
    const failed = batch.length - accepted.length
    const state = cause instanceof Error ? cause.message : String(cause)
    return new WriteError(
      `Cannot store ${failed} of ${batch.length} messages in "${this.#topic.settings.name}": ${state}`,
      { accepted, unknown, cause, retryable: cause instanceof SkeinError && cause.retryable },
    )
  }

  drained(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return this.#gate.wait('room', options.signal)
  }

  async drain(): Promise<void> {
    this.#close()
    await this.#gate.wait('empty')
  }

  async close(): Promise<void> {
    this.#close()
  }

  #close(): void {
    if (this.#gate.isClosed) return
    this.#gate.close()
    this.#onClosed()
  }
}

function fateIn(append: Settled | undefined, isRepeat: boolean): Fate {
  if (append?.failure === undefined) return 'stored'
  if (!isRepeat) return append.failure.own
  const at = append.repeated ?? 0
  append.repeated = at + 1
  return append.failure.repeats[at]
}
