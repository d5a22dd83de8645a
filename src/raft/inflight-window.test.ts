import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { InflightWindow } from './inflight-window.ts'

test('a window is full by messages or by bytes, and takes nothing more then', () => {
  const byCount = new InflightWindow({ messagesMax: 2, bytesMax: 100 })
  byCount.add(1, 1)
  assert.equal(byCount.full, false)
  byCount.add(2, 1)
  assert.equal(byCount.full, true)
  assert.throws(() => byCount.add(3, 1), /Assertion failed/)
  const byBytes = new InflightWindow({ messagesMax: 9, bytesMax: 100 })
  byBytes.add(1, 99)
  assert.equal(byBytes.full, false)
  byBytes.add(2, 500)
  assert.equal(byBytes.full, true)
  byBytes.freeThrough(2)
  assert.deepEqual([byBytes.full, byBytes.count, byBytes.bytes], [false, 0, 0])
})

test('a window counts what was added and not freed, around its ring as often as it takes', () => {
  const action = fc.oneof(
    fc.record({ add: fc.nat({ max: 30 }) }),
    fc.record({ free: fc.nat({ max: 60 }) }),
    fc.constant({ clear: true }),
  )
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const window = new InflightWindow({ messagesMax: 4, bytesMax: 60 })
      let model: Array<{ index: number; bytes: number }> = []
      let index = 0
      for (const each of actions) {
        if ('free' in each) {
          window.freeThrough(each.free)
          model = model.filter((message) => message.index > each.free)
        } else if ('clear' in each) {
          window.clear()
          model = []
        } else if (!window.full) {
          index += 1
          window.add(index, each.add)
          model.push({ index, bytes: each.add })
        }
        const bytes = model.reduce((sum, message) => sum + message.bytes, 0)
        assert.deepEqual(
          [window.count, window.bytes, window.full],
          [model.length, bytes, model.length === 4 || bytes >= 60],
        )
      }
    }),
  )
})
