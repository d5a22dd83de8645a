import { SkeinError } from '../../core/index.ts'
import type { SnapshotRef } from '../snapshot-ref.ts'
import type { LogRecord, Origin } from './record-codec.ts'

/** Who leads by the newest claim. `nonce` tells two lives of one id apart. */
export interface Claim {
  readonly id: string
  readonly nonce: string
  /** The Raft group that elected it; none where nobody is elected. */
  readonly cluster?: string
}

export interface Compaction {
  readonly through: number
  readonly snapshot: SnapshotRef
}

/** A call all of whose commands are in the log. */
export interface FoldedCall {
  readonly epoch: number
  readonly call: number
  /** Of each command, rising. */
  readonly indexes: readonly number[]
  /** Of a sequenced call alone. */
  readonly origin?: Origin
}

/** What a record did. */
export interface Folded {
  readonly call?: FoldedCall
  /** It was passed over: of an older epoch, or out of its call's order. */
  readonly isPassedOver?: boolean
}

interface OpenCall {
  readonly call: number
  readonly count: number
  readonly indexes: number[]
}

const SIZE_STEP_BYTES = 64 * 1_024

/**
 * What the records of a topic make, in their order: pure, so every reader comes to the same. A command counts if it is of the
 * epoch in force where it stands, and if all commands of its call stand there; the index is the broker's place and one.
 */
export class LogFold {
  epoch = 0
  leader: Claim | undefined
  timeMs = 0
  compaction: Compaction | undefined
  /** Everything through this index was folded. */
  #through = 0
  #open: OpenCall | undefined
  #lastCall = 0
  #sequenced = 0
  readonly #epochs: Array<{ readonly from: number; readonly epoch: number }> = []
  /** Commands of calls that were never finished. */
  readonly #unfinished = new Set<number>()
  #bytes = 0
  /** What was there through some indexes, for who asks how much is left. */
  #sizes: Array<{ readonly index: number; readonly bytes: number }> = []

  /** Before an unfinished call: what is behind may still turn out to be nothing. */
  get committed(): number {
    return this.#open === undefined ? this.#through : this.#open.indexes[0]! - 1
  }

  /** The last proposal that is in the log, over all epochs: its place in their topic and one. */
  get sequenced(): number {
    return this.#sequenced
  }

  get compacted(): number {
    return this.compaction?.through ?? 0
  }

  get retainedBytes(): number {
    return this.#bytes - (this.#sizes.findLast(({ index }) => index <= this.compacted)?.bytes ?? 0)
  }

  take(index: number, record: LogRecord): Folded {
    this.#through = index
    if (isOfCall(record)) return this.#takeCommand(index, record)
    if (record.kind === 'claim') this.#takeClaim(index, record)
    else if (record.kind === 'compaction') this.#takeCompaction(record)
    return {}
  }

  /**
   * The first claim of an epoch begins it; others of the same or an earlier one come too late. A topic belongs to whom the first
   * of all was made for: its epochs mean nothing to another group.
   */
  #takeClaim(index: number, { epoch, data }: LogRecord): void {
    const claim = parse<Claim>(data)
    const isForeign = this.leader !== undefined && this.leader.cluster !== claim.cluster
    if (epoch <= this.epoch || isForeign) return
    this.#giveUpOpen()
    this.epoch = epoch
    this.leader = claim
    this.#lastCall = 0
    this.#epochs.push({ from: index, epoch })
  }

  #takeCompaction({ data }: LogRecord): void {
    const compaction = parse<Compaction>(data)
    const { through, snapshot } = compaction
    if (snapshot.index <= (this.compaction?.snapshot.index ?? 0) || snapshot.index > this.committed) return
    this.compaction = { snapshot, through: Math.max(through, this.compacted) }
    for (const index of this.#unfinished) if (index <= through) this.#unfinished.delete(index)
    const first = this.#epochs.findLastIndex(({ from }) => from <= through)
    if (first > 0) this.#epochs.splice(0, first)
    const firstSize = this.#sizes.findLastIndex(({ index }) => index <= through)
    if (firstSize > 0) this.#sizes = this.#sizes.slice(firstSize)
  }

  #takeCommand(index: number, record: LogRecord): Folded {
    const { epoch, call, ordinal, count, timeMs, data, origin } = record
    if (epoch !== this.epoch) return { isPassedOver: true }
    if (ordinal === 0) {
      this.#giveUpOpen()
      if (this.#continues(record)) this.#open = { call, count, indexes: [] }
    }
    const open = this.#open
    if (open?.call !== call || open.indexes.length !== ordinal) {
      this.#unfinished.add(index)
      return { isPassedOver: true }
    }
    open.indexes.push(index)
    this.#count(index, data.length)
    this.timeMs = Math.max(this.timeMs, timeMs)
    if (open.indexes.length < count) return {}
    this.#open = undefined
    if (origin === undefined) this.#lastCall = call
    else this.#sequenced = call
    return { call: { epoch, call, indexes: open.indexes, ...(origin && { origin }) } }
  }

  /** Calls of one writer rise; sequenced ones are a chain, so that none is left out or taken twice, whoever leads. */
  #continues({ call, origin }: LogRecord): boolean {
    return origin === undefined ? call > this.#lastCall : origin.previous === this.#sequenced && call > origin.previous
  }

  #count(index: number, bytes: number): void {
    this.#bytes += bytes
    const last = this.#sizes.at(-1)
    if (this.#bytes - (last?.bytes ?? 0) >= SIZE_STEP_BYTES) this.#sizes.push({ index, bytes: this.#bytes })
  }

  #giveUpOpen(): void {
    for (const index of this.#open?.indexes ?? []) this.#unfinished.add(index)
    this.#open = undefined
  }

  /** Whether a record that was folded is a command of the log. Asked of places behind the compacted ones. */
  isCommand(index: number, { kind, epoch }: Pick<LogRecord, 'kind' | 'epoch'>): boolean {
    if (!isOfCall({ kind }) || this.#unfinished.has(index)) return false
    return this.#epochs.findLast(({ from }) => from <= index)?.epoch === epoch
  }
}

function isOfCall({ kind }: Pick<LogRecord, 'kind'>): boolean {
  return kind === 'command' || kind === 'sequenced'
}

/** Throws `corrupt`. */
function parse<T>(data: Uint8Array): T {
  try {
    return JSON.parse(new TextDecoder().decode(data)) as T
  } catch (cause) {
    const message =
      'Cannot read a record of the log: a claim or a compaction in it makes no sense; only replicated logs may write to this topic'
    throw new SkeinError('corrupt', message, { cause })
  }
}
