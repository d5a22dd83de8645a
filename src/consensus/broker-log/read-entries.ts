import type { Bus, Delivery, Reader } from '../../bus/index.ts'
import { SkeinError } from '../../core/index.ts'
import { CompactedError } from '../errors.ts'
import type { LogEntry, LogRead, ReadOptions } from '../replicated-log.ts'
import type { Wake } from '../wake.ts'
import type { LogFold } from './log-fold.ts'
import { decodeRecord } from './record-codec.ts'

export interface ReadableLog {
  readonly bus: Bus
  readonly topic: string
  readonly fold: LogFold
  /** Woken when more was folded, and when the log ends. */
  readonly growth: Wake
  readonly end: { readonly isClosed: boolean; readonly failure: Error | undefined }
}

const READ_MESSAGES_MAX = 4_096

/** Reads the topic again from a place, and gives what the fold says is of the log: what was folded before, and no more. */
export async function* readEntries(
  log: ReadableLog,
  from: number,
  { signal, onCompacted = 'snapshot' }: ReadOptions,
): AsyncGenerator<LogRead, void, undefined> {
  const { fold, growth, end } = log
  const source = new EntrySource(log)
  try {
    for (let next = Math.max(1, from); ; ) {
      signal?.throwIfAborted()
      if (end.failure !== undefined) throw end.failure
      if (end.isClosed) return
      if (next <= fold.compacted) {
        const { snapshot } = fold.compaction!
        if (onCompacted === 'fail') throw new CompactedError(next, snapshot)
        next = snapshot.index + 1
        yield { snapshot }
      } else if (next > fold.committed) await growth.wait(signal)
      else {
        const read = await source.read(next, signal)
        if (read === undefined) continue
        next = read.through + 1
        yield read
      }
    }
  } finally {
    await source.close()
  }
}

/** A reader of the topic that stands where it was left, and is put elsewhere when something else is asked for. */
class EntrySource {
  readonly #log: ReadableLog
  #reader: Reader | undefined
  /** What was read and is not known to be of the log yet. */
  #ahead: readonly Delivery[] = []
  #next = -1

  constructor(log: ReadableLog) {
    this.#log = log
  }

  /** Undefined when the place is gone, or the log ends: whoever reads looks again at what became of it. */
  async read(
    from: number,
    signal: AbortSignal | undefined,
  ): Promise<Extract<LogRead, { entries: unknown }> | undefined> {
    const deliveries = await this.#deliveries(from, signal)
    if (deliveries === undefined) return undefined
    const { fold } = this.#log
    const { committed } = fold
    const entries: LogEntry[] = []
    let count = 0
    for (; count < deliveries.length; count += 1) {
      const delivery = deliveries[count]!
      const index = delivery.position.sequence + 1
      if (index > committed) break
      const record = decodeRecord(delivery.value ?? new Uint8Array(0))
      if (index < from || !fold.isCommand(index, record)) continue
      entries.push({ index, term: record.epoch, timeMs: record.timeMs, data: record.data })
    }
    this.#ahead = deliveries.slice(count)
    const last = deliveries[count - 1]
    const through = this.#ahead.length > 0 ? committed : (last?.position.sequence ?? -1) + 1
    this.#next = Math.max(from, through + 1)
    return { entries, through: this.#next - 1 }
  }

  async #deliveries(from: number, signal: AbortSignal | undefined): Promise<readonly Delivery[] | undefined> {
    if (this.#next !== from) await this.#stand(from)
    if (this.#ahead.length > 0) return this.#ahead
    try {
      const batch = await this.#reader!.read({ maxMessages: READ_MESSAGES_MAX, ...(signal && { signal }) })
      return batch?.deliveries
    } catch (error) {
      if (this.#log.end.isClosed || this.#log.end.failure !== undefined || from <= this.#log.fold.compacted) {
        this.#next = -1
        return undefined
      }
      if (!(error instanceof SkeinError) || error.code !== 'position-gone') throw error
      const message = `Cannot read entry ${from}: the topic ${this.#log.topic} has lost it, and no snapshot covers it; restore the topic`
      throw new SkeinError('corrupt', message, { cause: error })
    }
  }

  async #stand(at: number): Promise<void> {
    await this.#reader?.close()
    this.#ahead = []
    const { bus, topic } = this.#log
    this.#reader = bus.reader(topic, { mode: 'broadcast', from: { partition: 0, sequence: at - 1 } })
    this.#next = at
  }

  async close(): Promise<void> {
    await this.#reader?.close()
  }
}
