/** A promise was broken. The run ends here. */
export class Violation extends Error {
  override readonly name = 'Violation'
  /** Which promise, as the notes name it: `election safety`. */
  readonly invariant: string

  constructor(invariant: string, what: string) {
    super(`${invariant}: ${what}`)
    this.invariant = invariant
  }
}
