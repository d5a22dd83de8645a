import { SubjectIndex } from '../../kit/index.ts'

/** Whoever waits at the end of a topic's partitions. */
export interface TailListener {
  /** Records from `baseOffset` through `lastOffset` became readable, and some of them may concern the listener. */
  onTail(partition: number, baseOffset: number, lastOffset: number): void
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

  notify(
    partition: number,
    appended: { readonly baseOffset: number; readonly lastOffset: number; readonly subjects: readonly string[] },
  ): void {
    const { baseOffset, lastOffset } = appended
    for (const listener of this.#unfiltered) listener.onTail(partition, baseOffset, lastOffset)
    if (this.#filtered.size === 0) return
    for (const subject of appended.subjects) {
      this.#filtered.match(subject, (listener) => listener.onTail(partition, baseOffset, lastOffset))
    }
  }
}
