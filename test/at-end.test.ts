import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { atEnd } from './at-end.ts'

test('What was made last is cleaned up first, and what throws keeps no other from being done', async () => {
  const hooks: Array<() => Promise<void>> = []
  const t = { after: (hook: () => Promise<void>) => hooks.push(hook) } as unknown as TestContext
  const done: string[] = []
  atEnd(t, () => done.push('directory'))
  atEnd(t, async () => {
    throw new Error('not empty')
  })
  atEnd(t, async () => done.push('process'))
  assert.equal(hooks.length, 1)
  await assert.rejects(hooks[0]!(), (error: AggregateError) => error.errors.length === 1)
  assert.deepEqual(done, ['process', 'directory'])
})
