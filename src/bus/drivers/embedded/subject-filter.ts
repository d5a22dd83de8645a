import { checkFilter, matchesFilter } from '../../../core/index.ts'

/** Which subjects a reader wants; undefined for all of them. */
export class SubjectFilter {
  readonly filters: readonly string[]

  constructor(filters: readonly string[]) {
    for (const filter of filters) checkFilter(filter)
    this.filters = filters
  }

  matches(subject: string): boolean {
    return this.filters.some((filter) => matchesFilter(filter, subject))
  }

  /** Those of a batch's subjects that are wanted; undefined when all of them are. */
  wantedOf(subjects: readonly string[]): ReadonlySet<string> | undefined {
    const wanted = subjects.filter((subject) => this.matches(subject))
    return wanted.length === subjects.length ? undefined : new Set(wanted)
  }
}
