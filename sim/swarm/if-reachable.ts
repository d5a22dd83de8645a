import { SkeinError } from '../../src/core/index.ts'

/** What was asked for; undefined where a broker is away for longer than its driver tries: nothing was sent or learnt. */
export async function ifReachable<Result>(asked: Promise<Result>): Promise<Result | undefined> {
  try {
    return await asked
  } catch (error) {
    if (error instanceof SkeinError && (error.retryable || error.code === 'write-failed')) return undefined
    throw error
  }
}
