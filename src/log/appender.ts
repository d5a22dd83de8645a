import { ClosedError, type DiskFile, SkeinError, type Timer, UnsupportedError } from '../core/index.ts'
import { assembleGroup, bytesOf, type Group, type Pending } from './group.ts'
import type { AppendDurability, Appended, BatchStamp, SyncPolicy } from './log.ts'
import type { LogState } from './log-state.ts'
import type { EncodedRecords } from './record.ts'
import type { LogEnd } from './recover.ts'
import { createSegment, writeIndex } from './segment-create.ts'
import { SEGMENT_HEADER_BYTES } from './segment-header.ts'

export interface AppenderOptions {
  readonly sync: SyncPolicy
  readonly segmentBytes: number
  readonly groupBytesMax: number
  readonly queueBytesMax: number
  /** `endOffset` has grown. */
  readonly onGrowth: () => void
  /** More is known to be synced than before. */
  readonly onSynced: () => void
}

/** A batch must be addressable by 32 bits with room to spare. */
const BATCH_BYTES_MAX = 1024 * 1024 * 1024

/**
 * Group commit: one `writev` and one `fdatasync` in flight; what arrives meanwhile is the next group. A failed write is
 * cut off and refused, and the log goes on; after a failed sync nobody knows what the disk holds, and nothing goes on.
 */
export class Appender {
  readonly #state: LogState
  readonly #options: AppenderOptions
  #file: DiskFile | undefined
  #queue: Pending[] = []
  #queuedBytes = 0
  #running: Promise<void> | undefined
  #closed = false
  #poison: SkeinError | undefined
  /** Bytes of a failed write may lie past the written end: nothing is written before they are cut. */
  #needsCut = false
  #needsRoll = false
  #needsSync = false
  #rolls: Array<{ readonly resolve: () => void; readonly reject: (error: unknown) => void }> = []
  #syncTimer: Timer | undefined
  #writtenBytes = 0
  #nextOffset: number
  #endPosition: number
  #synced: { readonly offset: number; readonly position: number }
  #lastAppendedAtMs: number

  constructor(state: LogState, end: LogEnd, options: AppenderOptions) {
    this.#state = state
    this.#options = options
    this.#nextOffset = end.nextOffset
    this.#endPosition = end.endPosition
    this.#synced = { offset: end.nextOffset, position: end.endPosition }
    this.#lastAppendedAtMs = end.lastAppendedAtMs
  }

  get poisoned(): boolean {
    return this.#poison !== undefined
  }

  get synced(): { readonly offset: number; readonly position: number } {
    return this.#synced
  }

  get lastAppendedAtMs(): number {
    return this.#lastAppendedAtMs
  }

  append(records: EncodedRecords, stamp: BatchStamp, durability: AppendDurability): Promise<Appended> {
    const refusal = this.#refusal(records, durability)
    if (refusal !== undefined) return Promise.reject(refusal)
    return new Promise((resolve, reject) => {
      this.#queue.push({ records, stamp, durability, resolve, reject })
      this.#queuedBytes += records.byteLength
      this.#start()
    })
  }

  #refusal(records: EncodedRecords, durability: AppendDurability): Error | undefined {
    if (this.#closed) return new ClosedError(`the log in ${this.#state.directory}`)
    if (this.#poison !== undefined) return this.#poison
    if (durability === 'durable' && this.#options.sync.kind !== 'group') {
      return new UnsupportedError(
        'durable appends',
        `the log syncs by policy "${this.#options.sync.kind}", not each group`,
      )
    }
    if (records.count === 0) return new SkeinError('bad-argument', 'Cannot append a batch: it has no records')
    if (records.byteLength > BATCH_BYTES_MAX) {
      return new SkeinError('message-too-large', `Cannot append a batch of ${records.byteLength} bytes: split it`)
    }
    if (this.#queuedBytes > this.#options.queueBytesMax) {
      const message = `Cannot append to ${this.#state.directory}: ${this.#queuedBytes} bytes wait already; await earlier appends first`
      return new SkeinError('overloaded', message, { retryable: true })
    }
    return undefined
  }

  /** The next append goes to a new segment: the present one turned out to be damaged. */
  rollNext(): void {
    this.#needsRoll = true
  }

  /** Begins a new segment now, unless the present one is empty. */
  roll(): Promise<void> {
    if (this.#closed) return Promise.reject(new ClosedError(`the log in ${this.#state.directory}`))
    return new Promise((resolve, reject) => {
      this.#rolls.push({ resolve, reject })
      this.#start()
    })
  }

  async #rollNow(): Promise<void> {
    const waiting = this.#rolls
    this.#rolls = []
    try {
      if (this.#poison !== undefined) throw this.#poison
      if (this.#needsCut) await this.#cut()
      this.#needsRoll ||= this.#writtenBytes > SEGMENT_HEADER_BYTES
      if (this.#needsRoll) await this.#fileFor(0)
      for (const one of waiting) one.resolve()
    } catch (error) {
      for (const one of waiting) one.reject(error)
    }
  }

  /** Takes the open file of the segment that appends go on in. */
  resume(file: DiskFile, bytes: number): void {
    this.#file = file
    this.#writtenBytes = bytes
  }

  /** Resolves when everything accepted is settled; then nothing is in flight. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  /** Refuses what comes from now on. */
  stopAccepting(): void {
    this.#closed = true
  }

  /** Refuses what waits and is not yet being written. */
  rejectQueued(error: Error): void {
    const queue = this.#queue
    this.#queue = []
    this.#queuedBytes = 0
    for (const pending of queue) pending.reject(error)
  }

  /** Syncs what was written without it, then lets the file go. */
  async finish(options: { readonly sync: boolean }): Promise<void> {
    this.#syncTimer?.cancel()
    await this.idle()
    if (options.sync && this.#poison === undefined && this.#synced.offset < this.#nextOffset) await this.#sync()
    if (this.#poison !== undefined && options.sync) throw this.#poison
  }

  #start(): void {
    if (this.#running !== undefined) return
    this.#running = Promise.resolve()
      .then(() => this.#run())
      .finally(() => {
        this.#running = undefined
        if (this.#hasWork()) this.#start()
      })
  }

  #hasWork(): boolean {
    return this.#queue.length > 0 || this.#needsSync || this.#rolls.length > 0
  }

  async #run(): Promise<void> {
    while (this.#hasWork()) {
      if (this.#needsSync) await this.#sync()
      if (this.#rolls.length > 0) await this.#rollNow()
      if (this.#queue.length > 0) await this.#commit(this.#takeGroup())
    }
  }

  #takeGroup(): Pending[] {
    let count = 0
    let bytes = 0
    while (count < this.#queue.length && (count === 0 || bytes < this.#options.groupBytesMax)) {
      bytes += this.#queue[count]!.records.byteLength
      count += 1
    }
    this.#queuedBytes -= bytes
    if (count === this.#queue.length) {
      const all = this.#queue
      this.#queue = []
      return all
    }
    return this.#queue.splice(0, count)
  }

  /** Never rejects: the outcome goes to those who wait. */
  async #commit(pending: readonly Pending[]): Promise<void> {
    let group: Group
    try {
      if (this.#poison !== undefined) throw this.#poison
      group = await this.#write(pending)
    } catch (error) {
      for (const one of pending) one.reject(error)
      return
    }
    for (const [index, one] of pending.entries()) {
      if (one.durability === 'written') one.resolve(group.appended[index]!)
    }
    if (this.#options.sync.kind === 'group') {
      if (!(await this.#sync())) {
        for (const one of pending) if (one.durability === 'durable') one.reject(this.#poison)
        return
      }
      for (const [index, one] of pending.entries()) {
        if (one.durability === 'durable') one.resolve(group.appended[index]!)
      }
    } else {
      this.#show()
      this.#syncLater()
    }
  }

  async #write(pending: readonly Pending[]): Promise<Group> {
    if (this.#needsCut) await this.#cut()
    const bytes = pending.reduce((sum, one) => sum + bytesOf(one), 0)
    const file = await this.#fileFor(bytes)
    const segment = this.#state.active!
    const appendedAtMs = Math.max(this.#state.clock.nowMs(), this.#lastAppendedAtMs)
    const group = assembleGroup(pending, {
      segment: segment.header,
      at: this.#writtenBytes,
      nextOffset: this.#nextOffset,
      provenEnd: this.#synced.position,
      appendedAtMs,
    })
    try {
      await file.writev(group.buffers, this.#writtenBytes)
    } catch (error) {
      this.#needsCut = true
      await this.#cut(error)
      throw error
    }
    for (const [index, appended] of group.appended.entries()) {
      segment.index.note(appended.baseOffset, group.positions[index]!, appendedAtMs)
    }
    if (group.batches === undefined) this.#state.tail.clear()
    else for (const batch of group.batches) this.#state.tail.add(batch)
    this.#lastAppendedAtMs = appendedAtMs
    this.#writtenBytes += group.bytes
    this.#endPosition += group.bytes
    this.#nextOffset = group.appended.at(-1)!.lastOffset + 1
    return group
  }

  /**
   * Removes what a failed write may have left, for good: it could pass for batches once newer ones are written over its
   * start, and whoever is told that nothing was kept must be able to rely on it. When it cannot be removed, that is
   * what the error says.
   */
  async #cut(cause?: unknown): Promise<void> {
    try {
      await this.#file!.truncate(this.#writtenBytes)
    } catch (error) {
      const message = `Cannot append to ${this.#state.directory}: a write failed and what it left cannot be removed yet; whether the append is kept is unknown`
      throw new SkeinError('io-failed', message, { cause: cause ?? error })
    }
    if (!(await this.#sync())) throw this.#poison
    this.#needsCut = false
  }

  /** The file for a group of so many bytes, of a new segment when the present one is full. */
  async #fileFor(bytes: number): Promise<DiskFile> {
    const isFull = this.#writtenBytes > SEGMENT_HEADER_BYTES && this.#writtenBytes + bytes > this.#options.segmentBytes
    if (this.#file !== undefined && !isFull && !this.#needsRoll) return this.#file
    // A segment with one behind it is synced to its end: opening relies on it.
    if (this.#synced.offset < this.#nextOffset && !(await this.#sync())) throw this.#poison
    const old = this.#state.active
    const created = await createSegment(this.#state, {
      baseOffset: this.#nextOffset,
      startPosition: this.#endPosition,
      createdAtMs: Math.max(this.#state.clock.nowMs(), this.#lastAppendedAtMs),
    }).catch((error: unknown) => {
      if (error instanceof SkeinError && error.details.unsynced === true) throw this.#poisonWith(error)
      throw error
    })
    this.#file = created.file
    this.#writtenBytes = SEGMENT_HEADER_BYTES
    this.#endPosition += SEGMENT_HEADER_BYTES
    this.#synced = { offset: this.#nextOffset, position: this.#endPosition }
    this.#needsRoll = false
    this.#state.files.adopt(created.segment, created.file)
    this.#state.active = created.segment
    this.#state.segments = [...this.#state.segments, created.segment]
    if (old !== undefined) {
      this.#state.files.release(old)
      await writeIndex(this.#state, old)
    }
    this.#options.onSynced()
    return created.file
  }

  /** Whether it worked; when not, the log is poisoned. */
  async #sync(): Promise<boolean> {
    this.#needsSync = false
    // A sync after a failed one would say that all is well, and it would not be true.
    if (this.#poison !== undefined) return false
    const reached = { offset: this.#nextOffset, position: this.#endPosition }
    try {
      await this.#file?.datasync()
    } catch (error) {
      this.#poisonWith(error)
      return false
    }
    this.#synced = reached
    this.#show()
    this.#options.onSynced()
    return true
  }

  /** Lets readers see what they may: under `group` what is synced, else what is written. */
  #show(): void {
    const { active } = this.#state
    if (active !== undefined) active.readableBytes = this.#writtenBytes
    if (this.#state.endOffset === this.#nextOffset) return
    this.#state.endOffset = this.#nextOffset
    this.#options.onGrowth()
  }

  #syncLater(): void {
    const { sync } = this.#options
    if (sync.kind !== 'interval' || this.#syncTimer !== undefined) return
    this.#syncTimer = this.#state.clock.setTimer(() => {
      this.#syncTimer = undefined
      this.#needsSync = true
      this.#start()
    }, sync.intervalMs)
  }

  #poisonWith(cause: unknown): SkeinError {
    const message = `Cannot append to ${this.#state.directory}: a sync failed, and what the disk holds of the last group is unknown; restart, and it is read again`
    this.#poison ??= new SkeinError('log-poisoned', message, { cause })
    this.rejectQueued(this.#poison)
    return this.#poison
  }
}
