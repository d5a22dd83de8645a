import { SubjectIndex } from '../../kit/index.ts'

/** Records of one append. */
export interface AppendedRange {
  readonly baseOffset: number
  readonly lastOffset: number
  /** About as much has to be read for them. */
  readonly byteLength: number
}

/** Whoever waits at the end of a topic's partitions. */
export interface TailListener {
  /** These records became readable, and some of them may concern the listener. */
  onTail(partition: number, appended: AppendedRange): void
}

/**
 * Who is told of an append: everybody without a filter, and of the others those with a matching one. Ten thousand
 * filtered readers of one topic therefore cost an append only its own subjects.
 */
export class Tail {
  readonly #unfiltered = new Set<TailListener>()
  readonly #filtered = new SubjectIndex<TailListener>()

  add(listener: TailListener, filters: readonly string[] | undefined): void {
    if (filters === undefined) this.#unfiltered.add(listener)
    else for (const filter of filters) this.#filtered.add(filter, listener)
  }

  remove(listener: TailListener, filters: readonly string[] | undefined): void {
    if (filters === undefined) this.#unfiltered.delete(listener)
    else for (const filter of filters) this.#filtered.remove(filter, listener)
  }

  notify(partition: number, appended: AppendedRange, subjects: readonly string[]): void {
    for (const listener of this.#unfiltered) listener.onTail(partition, appended)
    if (this.#filtered.size === 0) return
    for (const subject of subjects) {
      this.#filtered.match(subject, (listener) => listener.onTail(partition, appended))
    }
  }
}
