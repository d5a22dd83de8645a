import type { Tree } from './tree.ts'

/** A law of the house, and small trees that break it, so that it is known to be able to fail. */
export interface Rule {
  /** As it stands in the list of tests. */
  readonly name: string
  /** One line per violation: where, what, and what to do instead. */
  check(tree: Tree): string[]
  /** Each must be found guilty with a line that matches. */
  readonly guilty: ReadonlyArray<{ readonly files: Readonly<Record<string, string>>; readonly finds: RegExp }>
  /** Each must be found innocent: what the rule must not forbid. */
  readonly innocent: ReadonlyArray<Readonly<Record<string, string>>>
}
