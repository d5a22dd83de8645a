import { type Clock, partitionOfKey, SkeinError } from '../../../core/index.ts'
import type { BatchStamp } from '../../../log/index.ts'
import { type Message, type Position, type Receipt, WriteError, type Writer, type WriterOptions } from '../../index.ts'
import { MessageChecker, WriteGate } from '../../kit/index.ts'
import { type GrantedDurability, grantDurability, type LogTopic } from './topic.ts'
import { WriteDraft } from './write-draft.ts'

const PENDING_BYTES_MAX = 8 * 1024 * 1024
const NOTHING: readonly never[] = Object.freeze([])

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
    for (const draft of this.#drafts) {
      if (draft.isEmpty) continue
      const partition = draft.partition.index
      bytes += draft.byteLength
      appends.push(draft.append(this.#durability).then((sequence) => ({ partition, sequence })))
    }
    this.#gate.enter(bytes)
    const stored = appends.length === 1 ? appends[0]!.then((position) => [position]) : Promise.all(appends)
    return stored.then(
      (positions) => {
        this.#gate.leave(bytes)
        return this.#receipt(positions, { accepted: batch.length - duplicates.length, duplicates })
      },
      async (cause: unknown) => {
        const settled = await Promise.allSettled(appends)
        this.#gate.leave(bytes)
        throw this.#writeError(batch, settled, cause)
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

  /** A failed sync leaves the bytes in doubt; every other failure is known to have kept nothing. */
  #writeError(
    batch: readonly Message[],
    settled: readonly PromiseSettledResult<Position>[],
    cause: unknown,
  ): WriteError {
    const stored = new Set(settled.map((one) => (one.status === 'fulfilled' ? one.value.partition : -1)))
    const accepted: number[] = []
    const failed: number[] = []
    for (const [index, message] of batch.entries()) {
      if (stored.has(this.#partitionOf(message))) accepted.push(index)
      else failed.push(index)
    }
    const isUnknown = cause instanceof SkeinError && cause.code === 'log-poisoned'
    const retryable = cause instanceof SkeinError && cause.retryable
    const state = cause instanceof Error ? cause.message : String(cause)
    return new WriteError(
      `Cannot store ${failed.length} of ${batch.length} messages in "${this.#topic.settings.name}": ${state}`,
      {
        accepted,
        unknown: isUnknown ? failed : NOTHING,
        cause,
        retryable,
      },
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
