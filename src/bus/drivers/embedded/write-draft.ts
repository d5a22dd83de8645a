import type { Appended, BatchStamp, EncodedRecords, RecordInput } from '../../../log/index.ts'
import { RecordBatchBuilder } from '../../../log/index.ts'
import type { Message } from '../../index.ts'
import { storedHeaders } from '../../kit/index.ts'
import { MARK_ID, MARK_TTL, type Partition, type PendingIds } from './partition.ts'
import type { GrantedDurability } from './topic.ts'

const UNSTAMPED: BatchStamp = { producerId: 0, sequence: -1, epoch: 0 }

interface MutableRecord {
  subject: string
  key: string | undefined
  value: Uint8Array | string | null
  headers: Readonly<Record<string, string>> | undefined
  timestampMs: number
}

/** What one batch of a writer puts into one partition. Used again for the next batch. */
export class WriteDraft {
  readonly partition: Partition
  readonly #stamp: BatchStamp
  readonly #builder = new RecordBatchBuilder()
  readonly #record: MutableRecord = { subject: '', key: undefined, value: null, headers: undefined, timestampMs: 0 }
  #ids: Array<string | undefined> | undefined
  #seen: Set<string> | undefined
  #marks = 0
  /** Duplicates of records stored before: the last of their offsets; -1 when there are none. */
  #duplicateOffset = -1
  #duplicateOf: PendingIds[] = []

  /** `stamp`: the producer's, and marks that all of it has. */
  constructor(partition: Partition, stamp: BatchStamp = UNSTAMPED) {
    this.partition = partition
    this.#stamp = stamp
  }

  get isEmpty(): boolean {
    return this.#builder.count === 0 && this.#duplicateOffset === -1 && this.#duplicateOf.length === 0
  }

  get byteLength(): number {
    return this.#builder.byteLength
  }

  /** False when the message is a repeat and was not added. */
  add(message: Message, nowMs: number): boolean {
    const { id } = message
    if (id !== undefined && this.#isRepeat(id)) return false
    const record = this.#record
    record.subject = message.subject
    record.key = message.key
    record.value = message.value
    record.headers = storedHeaders(message)
    record.timestampMs = message.timestampMs ?? nowMs
    this.#builder.add(record satisfies RecordInput)
    if (message.ttlMs !== undefined) this.#marks |= MARK_TTL
    if (id !== undefined) this.#marks |= MARK_ID
    if (id !== undefined && this.partition.ids !== undefined) this.#noteId(id)
    return true
  }

  #isRepeat(id: string): boolean {
    if (this.partition.ids === undefined) return false
    if (this.#seen?.has(id) === true) return true
    const found = this.partition.findId(id)
    if (found === undefined) return false
    if (typeof found === 'number') this.#duplicateOffset = Math.max(this.#duplicateOffset, found)
    else if (this.#duplicateOf.at(-1) !== found) this.#duplicateOf.push(found)
    return true
  }

  #noteId(id: string): void {
    this.#ids ??= []
    while (this.#ids.length < this.#builder.count - 1) this.#ids.push(undefined)
    this.#ids.push(id)
    this.#seen ??= new Set()
    this.#seen.add(id)
  }

  /** Appends what was gathered; resolves to the last offset of it, duplicates included. */
  append(durability: GrantedDurability): Promise<number> {
    const isPlain = this.#duplicateOffset === -1 && this.#duplicateOf.length === 0
    const waited = { offset: this.#duplicateOffset, appends: this.#duplicateOf }
    const ids = this.#ids
    const stamp: BatchStamp = { ...this.#stamp, marks: (this.#stamp.marks ?? 0) | this.#marks }
    const appended =
      this.#builder.count === 0
        ? undefined
        : this.partition.append(this.#finish(), { stamp, durability: durability.append, ids })
    this.#reset()
    if (isPlain) return appended!.then(lastOffsetOf)
    return this.#settleDuplicates(waited, { appended, durability })
  }

  /** A repeat is confirmed only when its first writing is: at the level asked now. */
  async #settleDuplicates(
    waited: { readonly offset: number; readonly appends: readonly PendingIds[] },
    own: { readonly appended: Promise<Appended> | undefined; readonly durability: GrantedDurability },
  ): Promise<number> {
    const settled = await Promise.allSettled([own.appended, ...waited.appends.map((one) => one.appended)])
    let offset = waited.offset
    for (const one of settled) {
      if (one.status === 'rejected') throw one.reason
      if (one.value !== undefined) offset = Math.max(offset, one.value.lastOffset)
    }
    if (own.durability.receipt === 'durable') await this.partition.visible(offset)
    return offset
  }

  #finish(): EncodedRecords {
    return this.#builder.finish()
  }

  /** Throws away what was gathered. */
  discard(): void {
    if (this.#builder.count > 0) this.#builder.finish()
    this.#reset()
  }

  #reset(): void {
    this.#ids = undefined
    this.#seen = undefined
    this.#marks = 0
    this.#duplicateOffset = -1
    this.#duplicateOf = []
  }
}

function lastOffsetOf(appended: Appended): number {
  return appended.lastOffset
}
