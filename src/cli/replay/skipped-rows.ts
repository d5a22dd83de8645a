import type { BadRow } from './columns.ts'

/** Kept of a file that may be bad throughout. */
const KEPT_MAX = 20
/** Said to people, who look into the file for more. */
const SAID_MAX = 5
const REASON_CHARACTERS_MAX = 300

/** The rows that were left out: how many, and of the first ones where and why. */
export class SkippedRows {
  count = 0
  readonly #first: Array<{ readonly line: number; readonly reason: string }> = []

  add(bad: readonly BadRow[]): void {
    this.count += bad.length
    for (const { line, message } of bad.slice(0, KEPT_MAX - this.#first.length)) {
      this.#first.push({ line, reason: message.slice(0, REASON_CHARACTERS_MAX) })
    }
  }

  get first(): ReadonlyArray<{ readonly line: number; readonly reason: string }> {
    return this.#first
  }

  sentences(): readonly string[] {
    const said = this.#first.slice(0, SAID_MAX).map(({ line, reason }) => `  line ${line}: ${reason}`)
    const more = this.count - said.length
    const rest = more === 0 ? [] : [`  and ${more} more; --json names the first ${KEPT_MAX}`]
    return [`${this.count} ${this.count === 1 ? 'row' : 'rows'} left out`, ...said, ...rest]
  }
}
