import { type Clock, ClosedError, type Timer } from '../../../core/index.ts'
import { type Log, RecordBatchBuilder, recordCursor } from '../../../log/index.ts'

const STAMP = { producerId: 0, sequence: -1, epoch: 0 }
const CHUNK_BYTES = 512 * 1024
const READ_BYTES = 1024 * 1024
const CHECKPOINT_BYTES = 8 * 1024 * 1024

/** Gives the value to store when its turn comes: the latest then, so that many changes cost one record. */
export type StateSource = () => unknown

export interface StateMapOptions {
  readonly log: Log
  readonly clock: Clock
  /** Least time between two flushes that somebody waits for. */
  readonly spacingMs: number
  /** How long a change that nobody waits for may lie in memory. */
  readonly lazyMs: number
  readonly durability: 'written' | 'durable'
}

interface Waiter {
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * A map of JSON values in a log of its own. Every so often the whole map is written again and what lies before is let
 * go, so that opening reads a bounded tail.
 */
export class StateMap {
  readonly #log: Log
  readonly #clock: Clock
  readonly #spacingMs: number
  readonly #lazyMs: number
  readonly #durability: 'written' | 'durable'
  /** JSON text, as stored. */
  readonly #values = new Map<string, string>()
  #dirty = new Map<string, StateSource>()
  #waiters: Waiter[] = []
  /** Of the write that is under way. */
  #joined: Waiter[] = []
  #timer: Timer | undefined
  #flushing: Promise<void> | undefined
  #flushedAtMs = Number.NEGATIVE_INFINITY
  #bytesSinceCheckpoint = 0
  #closed = false

  private constructor(options: StateMapOptions) {
    this.#log = options.log
    this.#clock = options.clock
    this.#spacingMs = options.spacingMs
    this.#lazyMs = options.lazyMs
    this.#durability = options.durability
  }

  static async open(options: StateMapOptions): Promise<StateMap> {
    const map = new StateMap(options)
    await map.#load()
    return map
  }

  async #load(): Promise<void> {
    let offset = this.#log.startOffset
    while (offset < this.#log.endOffset) {
      for (const batch of await this.#log.read(offset, READ_BYTES)) {
        const cursor = recordCursor(batch.body, batch.baseOffset, batch.firstTimestampMs)
        while (cursor.next()) {
          if (cursor.offset < offset) continue
          if (cursor.isTombstone) this.#values.delete(cursor.key!)
          else this.#values.set(cursor.key!, cursor.valueText())
        }
        this.#bytesSinceCheckpoint += batch.bytes.byteLength
        offset = batch.lastOffset + 1
      }
    }
  }

  get(key: string): unknown {
    const text = this.#values.get(key)
    return text === undefined ? undefined : JSON.parse(text)
  }

  keys(prefix: string): string[] {
    return [...this.#values.keys()].filter((key) => key.startsWith(prefix))
  }

  /** Will be stored soon; undefined as the value deletes the key. */
  touch(key: string, source: StateSource): void {
    if (this.#closed) return
    this.#dirty.set(key, source)
    if (this.#timer === undefined) this.#schedule(this.#lazyMs)
  }

  /** Resolves when everything touched before the call is stored. */
  flush(): Promise<void> {
    if (this.#closed) return Promise.reject(new ClosedError('the state of the bus'))
    const isAllTaken = this.#dirty.size === 0
    if (isAllTaken && this.#flushing === undefined) return Promise.resolve()
    return new Promise<void>((resolve, reject) => {
      if (isAllTaken) {
        this.#joined.push({ resolve, reject })
        return
      }
      this.#waiters.push({ resolve, reject })
      this.#schedule(this.#spacingLeftMs())
    })
  }

  /** To be called at opening: what was touched is durable when it resolves, so that what is written elsewhere may rely on it. */
  async settle(): Promise<void> {
    if (this.#dirty.size === 0) return
    await this.flush()
    await this.#checkpoint()
  }

  #schedule(delayMs: number): void {
    if (this.#flushing !== undefined) return
    this.#timer?.cancel()
    this.#timer = undefined
    if (delayMs === 0) this.#flushing = this.#write()
    else {
      const flush = () => {
        this.#timer = undefined
        this.#flushing ??= this.#write()
      }
      // A process does not end while somebody waits for this.
      this.#timer = this.#clock.setTimer(flush, delayMs, { keepAlive: this.#waiters.length > 0 })
    }
  }

  /** At once when idle, and under load at most every `spacingMs`: many acknowledgments share one record per key. */
  #spacingLeftMs(): number {
    return Math.max(0, this.#spacingMs - (this.#clock.monotonicMs() - this.#flushedAtMs))
  }

  async #write(): Promise<void> {
    // Lets everything of this turn join.
    await Promise.resolve()
    const dirty = this.#dirty
    const waiters = this.#waiters
    this.#joined = waiters
    this.#dirty = new Map()
    this.#waiters = []
    try {
      await this.#append(dirty)
      for (const waiter of waiters) waiter.resolve()
    } catch (error) {
      for (const [key, source] of dirty) if (!this.#dirty.has(key)) this.#dirty.set(key, source)
      for (const waiter of waiters) waiter.reject(error)
    } finally {
      this.#joined = []
      this.#flushedAtMs = this.#clock.monotonicMs()
      this.#flushing = undefined
      if (this.#waiters.length > 0) this.#schedule(this.#spacingMs)
      else if (this.#dirty.size > 0 && !this.#closed) this.#schedule(this.#lazyMs)
    }
  }

  async #append(dirty: ReadonlyMap<string, StateSource>): Promise<void> {
    if (dirty.size === 0) return
    const changed = new Map<string, string | undefined>()
    for (const [key, source] of dirty) {
      const value = source()
      const text = value === undefined ? undefined : JSON.stringify(value)
      if (text !== this.#values.get(key)) changed.set(key, text)
    }
    if (changed.size === 0) return
    await this.#appendAll(changed, this.#durability)
    for (const [key, text] of changed) {
      if (text === undefined) this.#values.delete(key)
      else this.#values.set(key, text)
    }
    if (this.#bytesSinceCheckpoint > CHECKPOINT_BYTES) await this.#checkpoint()
  }

  /** The whole map again, and then nothing before it is needed. */
  async #checkpoint(): Promise<void> {
    this.#bytesSinceCheckpoint = 0
    const from = await this.#appendAll(this.#values, 'durable')
    if (from !== undefined) await this.#log.advanceStart(from)
    this.#bytesSinceCheckpoint = 0
  }

  /** Resolves to the first offset. */
  async #appendAll(
    values: ReadonlyMap<string, string | undefined>,
    durability: 'written' | 'durable',
  ): Promise<number | undefined> {
    const builder = new RecordBatchBuilder()
    const timestampMs = this.#clock.nowMs()
    const appends: Promise<{ readonly baseOffset: number }>[] = []
    for (const [key, text] of values) {
      builder.add({ subject: 'skein.state', key, value: text ?? null, timestampMs })
      if (builder.byteLength >= CHUNK_BYTES) appends.push(this.#appendOne(builder, durability))
    }
    if (builder.count > 0) appends.push(this.#appendOne(builder, durability))
    const appended = await Promise.all(appends)
    return appended[0]?.baseOffset
  }

  #appendOne(builder: RecordBatchBuilder, durability: 'written' | 'durable'): Promise<{ readonly baseOffset: number }> {
    const records = builder.finish()
    this.#bytesSinceCheckpoint += records.byteLength
    return this.#log.append(records, STAMP, durability)
  }

  /** Stores what is touched and closes the log; promptly when not draining. Idempotent. */
  async close(options: { readonly drain: boolean }): Promise<void> {
    if (this.#closed) return
    if (options.drain) await this.flush()
    this.#closed = true
    this.#timer?.cancel()
    await this.#flushing
    const waiters = this.#waiters
    this.#waiters = []
    for (const waiter of waiters) waiter.reject(new ClosedError('the state of the bus'))
    await (options.drain ? this.#log.drain() : this.#log.close())
  }
}
