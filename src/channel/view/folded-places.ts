import type { Delivery, Position } from '../../bus/index.ts'
import type { ChunkAssembler } from '../payload/chunk-assembler.ts'
import { CHUNK_HEADER, parseChunkMark } from '../payload/chunk-header.ts'

/** A large value of which some chunks lie before the place that was folded through, and others behind it. */
export interface UnfinishedSet {
  readonly set: string
  readonly partition: number
  /** Of its first chunk. */
  readonly sequence: number
}

/** How far a view has folded one topic in, per partition, and which large values began before and are not whole yet. */
export class FoldedPlaces {
  /** Where the large values of this topic are put together. */
  chunks: ChunkAssembler | undefined
  readonly #through: Map<number, number>
  /** As of a snapshot: only chunks of sets that were unfinished are read again up to here. */
  readonly #restored: ReadonlyMap<number, number>
  /** Of the snapshot, in the partitions that were not read up to it yet. */
  #unfinished: readonly UnfinishedSet[]

  constructor(through: ReadonlyMap<number, number> = new Map(), unfinished: readonly UnfinishedSet[] = []) {
    this.#through = new Map(through)
    this.#restored = through
    this.#unfinished = unfinished
  }

  /** Where to read on. `start` is where the partition begins: chunks that retention took are not asked for. */
  startOf({ partition, sequence: start }: Position): Position {
    const next = (this.#restored.get(partition) ?? start - 1) + 1
    const begun = this.#unfinished.filter((set) => set.partition === partition && set.sequence >= start)
    return { partition, sequence: Math.min(next, ...begun.map(({ sequence }) => sequence)) }
  }

  /** Whether it is to be folded: not one that the snapshot has, read again for the sake of a chunk before it. */
  isFresh({ position: { partition, sequence }, headers }: Delivery): boolean {
    if (sequence > (this.#restored.get(partition) ?? -1)) return true
    const mark = headers[CHUNK_HEADER]
    const name = mark === undefined ? undefined : parseChunkMark(mark)?.set
    return this.#unfinished.some((set) => set.partition === partition && set.set === name)
  }

  advance({ partition, sequence }: Position): void {
    if ((this.#through.get(partition) ?? -1) < sequence) this.#through.set(partition, sequence)
    if (this.#unfinished.length === 0 || sequence < (this.#restored.get(partition) ?? -1)) return
    this.#unfinished = this.#unfinished.filter((set) => set.partition !== partition)
  }

  hasAll(positions: readonly Position[]): boolean {
    return positions.every(
      ({ partition, sequence }) => sequence < 0 || (this.#through.get(partition) ?? -1) >= sequence,
    )
  }

  /** The last sequence of each partition that was folded in, as it is now. */
  through(): ReadonlyMap<number, number> {
    return new Map(this.#through)
  }

  unfinished(): readonly UnfinishedSet[] {
    return [...this.#unfinished, ...(this.chunks?.unfinished() ?? [])]
  }
}
