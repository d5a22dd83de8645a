import { SkeinError } from '../../../core/index.ts'
import type { Appended, BatchStamp, EncodedRecords, RecordInput } from '../../../log/index.ts'
import { RecordBatchBuilder } from '../../../log/index.ts'
import type { Message } from '../../index.ts'
import { storedHeaders } from '../../kit/index.ts'
import { MARK_ID, MARK_TTL, type Partition, type PendingIds } from './partition.ts'
import type { GrantedDurability } from './topic.ts'

const UNSTAMPED: BatchStamp = { producerId: 0, sequence: -1, epoch: 0 }

/** What became of a message: undefined when it is known not to be stored. */
export type Fate = 'stored' | 'unknown' | undefined

/** An append of which not everything is stored. The cause is the failure of what was not. */
export class PartlyAppended extends Error {
  override readonly name = 'PartlyAppended'
  /** Of the messages that were no repeats. */
  readonly own: Fate
  /** Of the repeats, in the order they were added. */
  readonly repeats: readonly Fate[]

  constructor(cause: unknown, fates: { readonly own: Fate; readonly repeats: readonly Fate[] }) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
    this.own = fates.own
    this.repeats = fates.repeats
  }
}

/** Of what a message repeats: one of its own batch, one stored before, or one that is being stored. */
type Repeated = 'own' | 'before' | PendingIds

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
  #repeats: Repeated[] = []

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
    if (this.#seen?.has(id) === true) return this.#noteRepeat('own')
    const found = this.partition.findId(id)
    if (found === undefined) return false
    this.#noteRepeat(typeof found === 'number' ? 'before' : found)
    if (typeof found === 'number') this.#duplicateOffset = Math.max(this.#duplicateOffset, found)
    else if (this.#duplicateOf.at(-1) !== found) this.#duplicateOf.push(found)
    return true
  }

  #noteRepeat(of: Repeated): true {
    this.#repeats.push(of)
    return true
  }

  #noteId(id: string): void {
    this.#ids ??= []
    while (this.#ids.length < this.#builder.count - 1) this.#ids.push(undefined)
    this.#ids.push(id)
    this.#seen ??= new Set()
    this.#seen.add(id)
  }

  /** Appends what was gathered; resolves to the last offset of it, duplicates included. Rejects with `PartlyAppended`. */
  append(durability: GrantedDurability): Promise<number> {
    const isPlain = this.#duplicateOffset === -1 && this.#duplicateOf.length === 0
    const waited = { offset: this.#duplicateOffset, appends: this.#duplicateOf, repeats: this.#repeats }
    const ids = this.#ids
    const stamp: BatchStamp = { ...this.#stamp, marks: (this.#stamp.marks ?? 0) | this.#marks }
    const appended =
      this.#builder.count === 0
        ? undefined
        : this.partition.append(this.#finish(), { stamp, durability: durability.append, ids })
    this.#reset()
    if (isPlain) return appended!.then(lastOffsetOf, (cause) => failedWhole(cause, waited.repeats))
    return this.#settleDuplicates(waited, { appended, durability })
  }

  /** A repeat is confirmed only when its first writing is: at the level asked now. */
  async #settleDuplicates(
    waited: {
      readonly offset: number
      readonly appends: readonly PendingIds[]
      readonly repeats: readonly Repeated[]
    },
    own: { readonly appended: Promise<Appended> | undefined; readonly durability: GrantedDurability },
  ): Promise<number> {
    const settled = await Promise.allSettled([own.appended, ...waited.appends.map((one) => one.appended)])
    let offset = waited.offset
    for (const one of settled) {
      if (one.status === 'fulfilled' && one.value !== undefined) offset = Math.max(offset, one.value.lastOffset)
    }
    const confirmed = await this.#confirm(offset, own.durability)
    const failed = settled.find((one) => one.status === 'rejected')?.reason ?? confirmed
    if (failed === undefined) return offset
    const fates = settled.map((one): Fate => (one.status === 'rejected' ? fateOf(one.reason) : 'stored'))
    // What is stored, but not at the level asked now, is in doubt.
    const atLevel = (fate: Fate): Fate => (fate === 'stored' && confirmed !== undefined ? 'unknown' : fate)
    const repeats = waited.repeats.map((of): Fate => {
      if (of === 'own') return fates[0]
      return atLevel(of === 'before' ? 'stored' : fates[1 + waited.appends.indexOf(of)])
    })
    throw new PartlyAppended(failed, { own: fates[0], repeats })
  }

  /** Why what is stored through this offset cannot be confirmed; undefined when it is. */
  async #confirm(offset: number, durability: GrantedDurability): Promise<unknown> {
    if (durability.receipt !== 'durable' || offset === -1) return undefined
    return this.partition.visible(offset).then(
      () => undefined,
      (cause: unknown) => cause,
    )
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
    this.#repeats = []
  }
}

function failedWhole(cause: unknown, repeats: readonly Repeated[]): never {
  const own = fateOf(cause)
  throw new PartlyAppended(cause, { own, repeats: repeats.map(() => own) })
}

/** A failed sync leaves the bytes in doubt; every other failure of an append is known to have kept nothing of it. */
function fateOf(cause: unknown): Fate {
  return cause instanceof SkeinError && cause.code === 'log-poisoned' ? 'unknown' : undefined
}

function lastOffsetOf(appended: Appended): number {
  return appended.lastOffset
}
