import { checkFilter, matchesFilter } from '../../core/index.ts'

type Matcher = (subject: string) => boolean

/** Which subjects a reader wants. */
export class SubjectFilter {
  readonly filters: readonly string[]
  readonly #matchers: readonly Matcher[]
  #lastSubject = ''
  #lastWanted = false

  constructor(filters: readonly string[]) {
    for (const filter of filters) checkFilter(filter)
    this.filters = filters
    this.#matchers = filters.map(matcherOf)
  }

  wants(subject: string): boolean {
    if (subject === this.#lastSubject) return this.#lastWanted
    this.#lastSubject = subject
    this.#lastWanted = this.#matchers.some((matches) => matches(subject))
    return this.#lastWanted
  }

  /** Those of a batch's subjects that are wanted; undefined when all of them are. */
  wantedOf(subjects: readonly string[]): ReadonlySet<string> | undefined {
    const wanted = subjects.filter((subject) => this.#matchers.some((matches) => matches(subject)))
    return wanted.length === subjects.length ? undefined : new Set(wanted)
  }
}

/** Most filters are a subject or a prefix: those need no look at the levels. */
function matcherOf(filter: string): Matcher {
  if (filter.includes('*')) return (subject) => matchesFilter(filter, subject)
  if (!filter.endsWith('>')) return (subject) => subject === filter
  const prefix = filter.slice(0, -1)
  return (subject) => subject.length > prefix.length && subject.startsWith(prefix)
}
