import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WriteTurns } from './write-turns.ts'

test('WriteTurns begins at once what waits for nothing, and what comes behind a waiting one only after it', async () => {
  const turns = new WriteTurns()
  const begun: string[] = []
  const write = (name: string, wait?: Promise<void>, topic = 'one') =>
    turns.start(topic, wait, async () => void begun.push(name))
  await write('first')
  const quota = Promise.withResolvers<void>()
  const waiting = [write('second', quota.promise), write('third'), write('fourth', Promise.resolve())]
  await write('of another topic', undefined, 'two')
  assert.deepEqual(begun, ['first', 'of another topic'])
  quota.resolve()
  await Promise.all(waiting)
  assert.deepEqual(begun, ['first', 'of another topic', 'second', 'third', 'fourth'])
  await write('fifth')
  assert.equal(begun.at(-1), 'fifth')
})

test('WriteTurns refuses at once, and a refusal lets nothing past what came before it', async () => {
  const turns = new WriteTurns()
  const begun: string[] = []
  const write = (name: string, wait?: Promise<void>) => turns.start('one', wait, async () => void begun.push(name))
  const quota = Promise.withResolvers<void>()
  const first = write('first', quota.promise)
  await assert.rejects(write('refused', Promise.reject(new Error('over quota'))), /over quota/)
  const last = write('last')
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(begun, [])
  quota.resolve()
  await Promise.all([first, last])
  assert.deepEqual(begun, ['first', 'last'])
})
