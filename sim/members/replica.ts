import type { LogDurability, RaftLog } from '../../src/consensus/index.ts'
import { SkeinError } from '../../src/core/index.ts'
import type { Machine } from './machine.ts'

export interface ReplicaOptions {
  readonly machine: Machine
  readonly snapshotBytes: number | undefined
}

interface Waiting {
  readonly index: number
  readonly resolve: () => void
}

/** Kept in the log behind a snapshot, for those who are a little late. */
const ENTRIES_KEPT = 5_000

/** A state machine that follows the log of its member. */
export class Replica {
  readonly #log: RaftLog
  readonly #machine: Machine
  readonly #snapshotBytes: number
  readonly #durabilities = new Set<LogDurability>()
  #applied = 0
  #waiting: Waiting[] = []

  constructor(log: RaftLog, { machine, snapshotBytes = Number.POSITIVE_INFINITY }: ReplicaOptions) {
    this.#log = log
    this.#machine = machine
    this.#snapshotBytes = snapshotBytes
  }

  /** Of every append that was acknowledged here. */
  get durabilities(): readonly string[] {
    return [...this.#durabilities]
  }

  /** Applies what is committed, until the log is closed. Rejects when it fails. */
  async run(): Promise<void> {
    for await (const read of this.#log.read(0)) {
      if ('snapshot' in read) {
        const chunks: Uint8Array[] = []
        for await (const chunk of this.#log.snapshots.read(read.snapshot)) chunks.push(chunk)
        this.#machine.restore(Buffer.concat(chunks))
        this.#moveTo(read.snapshot.index)
      } else {
        this.#machine.apply(read.entries)
        this.#moveTo(read.through)
        const timeMs = read.entries.at(-1)?.timeMs
        if (timeMs !== undefined && this.#log.status().retainedBytes > this.#snapshotBytes) await this.#compact(timeMs)
      }
    }
  }

  #moveTo(applied: number): void {
    this.#applied = applied
    if (this.#waiting.length === 0) return
    const waiting = this.#waiting
    this.#waiting = waiting.filter(({ index }) => index > applied)
    for (const { index, resolve } of waiting) if (index <= applied) resolve()
  }

  async #compact(timeMs: number): Promise<void> {
    const index = this.#applied
    try {
      const snapshot = await this.#log.snapshots.write({ index, timeMs }, this.#machine.snapshot())
      await this.#log.compact(Math.max(index - ENTRIES_KEPT, this.#log.status().firstIndex - 1), snapshot)
    } catch (error) {
      // Nothing is let go of; the next entries try again, perhaps with more room.
      if (!(error instanceof SkeinError && error.code === 'disk-full')) throw error
    }
  }

  #reached(index: number): Promise<void> | undefined {
    if (index <= this.#applied) return undefined
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.push({ index, resolve })
    return promise
  }

  /** Resolves, once they are committed and applied, to what the machine answers. Rejects as `append` does. */
  async append(commands: readonly Uint8Array[]): Promise<unknown> {
    const { last, durability } = await this.#log.append(commands)
    this.#durabilities.add(durability)
    await this.#reached(last)
    return this.#machine.answer(commands)
  }

  /** Through a read point. */
  async read(keys: readonly string[]): Promise<unknown> {
    await this.#reached(await this.#log.barrier())
    return this.#machine.read(keys)
  }

  async audit(): Promise<unknown> {
    await this.#reached(await this.#log.barrier())
    return this.#machine.audit()
  }
}
