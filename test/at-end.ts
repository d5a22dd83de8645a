import type { TestContext } from 'node:test'

type CleanUp = () => unknown

const PLANNED = new WeakMap<TestContext, CleanUp[]>()

/**
 * Cleans up when the test has ended: what was made last goes first, so that a process is gone before its directory is, and
 * what one clean-up throws keeps no other from being done. The hooks of the test runner run the other way round, and
 * stop at the first that throws: a process that is left over then keeps the file of the test from ever ending.
 */
export function atEnd(t: TestContext, cleanUp: CleanUp): void {
  const planned = PLANNED.get(t)
  if (planned !== undefined) {
    planned.push(cleanUp)
    return
  }
  const all = [cleanUp]
  PLANNED.set(t, all)
  t.after(async () => {
    const errors: unknown[] = []
    for (const one of all.toReversed()) {
      try {
        await one()
      } catch (error) {
        errors.push(error)
      }
    }
    if (errors.length > 0) throw new AggregateError(errors, `${errors.length} clean-ups failed`)
  })
}
