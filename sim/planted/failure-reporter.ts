import type { TestEvent } from 'node:test/reporters'

/** A test that failed, as a line of the reporter tells it. */
export interface FailedTest {
  readonly file: string
  readonly name: string
  /** It was cut off by its time limit. */
  readonly isTimeout: boolean
}

const MARK = 'failed-test '
/** What failed because of another one that is told by itself. */
const OF_OTHERS = new Set(['subtestsFailed', 'cancelledByParent'])

/** A reporter of Node's test runner: tells the innermost tests that failed, each when it ends, a line each. */
export default async function* failureReporter(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of events) {
    if (event.type !== 'test:complete' || event.data.details.passed) continue
    const { name, file = '', details } = event.data
    // The types know the error of a failed test only in another event.
    const failure = (details as { readonly error?: { readonly failureType?: string } }).error?.failureType ?? ''
    if (OF_OTHERS.has(failure)) continue
    const failed: FailedTest = { file, name, isTimeout: failure === 'testTimeoutFailure' }
    yield `${MARK}${JSON.stringify(failed)}\n`
  }
}

/** What a line of this reporter tells; undefined for any other line. */
export function readFailedTest(line: string): FailedTest | undefined {
  return line.startsWith(MARK) ? JSON.parse(line.slice(MARK.length)) : undefined
}
