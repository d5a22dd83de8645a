import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '../../core/system/index.ts'
import type { Reader, ReadLimits } from '../bus.ts'
import { LateReader } from './late-reader.ts'

/** A reader of a topic that is found when the test says so; it tells with what it was read. */
function lateReader() {
  const found = Promise.withResolvers<Reader>()
  const reads: Array<ReadLimits | undefined> = []
  const reader = {
    read: async (limits?: ReadLimits) => {
      reads.push(limits)
      return null
    },
    close: async () => {},
  } as unknown as Reader
  const find = () => found.resolve(reader)
  return { late: new LateReader('a', () => found.promise, systemClock), find, fail: found.reject, reads }
}

test('LateReader.read() waits for the topic no longer than it was to wait for messages', async () => {
  const { late, reads } = lateReader()
  assert.equal(await late.read({ waitMs: 5 }), null)
  assert.deepEqual(reads, [])
})

test('LateReader.read() gives to the reading what is left of the wait', async () => {
  const { late, find, reads } = lateReader()
  const reading = late.read({ waitMs: 60_000, maxMessages: 3 })
  find()
  assert.equal(await reading, null)
  assert.equal(reads[0]!.maxMessages, 3)
  assert.ok(reads[0]!.waitMs! > 0 && reads[0]!.waitMs! <= 60_000)
})

test('LateReader.read() rejects with the reason of its signal while the topic is sought, and before', async () => {
  const { late, reads } = lateReader()
  const stop = new AbortController()
  const reading = late.read({ signal: stop.signal })
  stop.abort(new Error('enough'))
  await assert.rejects(reading, /enough/)
  await assert.rejects(late.read({ signal: stop.signal }), /enough/)
  assert.deepEqual(reads, [])
})

test('LateReader.read() rejects when the reader is closed meanwhile, and with why the topic was not found', async () => {
  const closed = lateReader()
  const reading = closed.late.read()
  await closed.late.close()
  await assert.rejects(reading, { code: 'closed' })
  const lost = lateReader()
  const other = lost.late.read()
  lost.fail(new Error('there is none'))
  await assert.rejects(other, /there is none/)
  await assert.rejects(lost.late.read(), /there is none/)
})
