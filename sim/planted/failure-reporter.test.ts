import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestEvent } from 'node:test/reporters'
import failureReporter, { readFailedTest } from './failure-reporter.ts'

const FILE = 'sum.test.ts'

function completed(name: string, failureType?: string): TestEvent {
  const details = {
    passed: failureType === undefined,
    duration_ms: 1,
    error: Object.assign(new Error(), { failureType }),
  }
  const data = { name, file: FILE, nesting: 0, testNumber: 1, testId: 1, parentId: 0, tags: [], details }
  return { type: 'test:complete', data } as unknown as TestEvent
}

async function* events(): AsyncGenerator<TestEvent> {
  yield completed('passes')
  yield completed('fails', 'testCodeFailure')
  yield completed('waits', 'testTimeoutFailure')
  yield completed('stands around those', 'subtestsFailed')
}

test('The reporter tells the innermost tests that failed, and which were cut off', async () => {
  const lines = await Array.fromAsync(failureReporter(events()))
  assert.deepEqual(
    lines.map((line) => readFailedTest(line.trimEnd())),
    [
      { file: FILE, name: 'fails', isTimeout: false },
      { file: FILE, name: 'waits', isTimeout: true },
    ],
  )
})

test('Other lines tell no failure', () => {
  assert.equal(readFailedTest('✖ fails (1.2ms)'), undefined)
})
