import assert from 'node:assert/strict'
import { test } from 'node:test'
import { IdWindow } from './id-window.ts'

test('an id is remembered for the window, and no longer', () => {
  const window = new IdWindow(100)
  window.add('one', { offset: 1, atMs: 1_000 })
  window.add('two', { offset: 2, atMs: 1_050 })
  window.expire(1_100)
  assert.deepEqual([window.find('one'), window.find('two')], [1, 2])
  window.expire(1_101)
  assert.deepEqual([window.find('one'), window.find('two')], [undefined, 2])
  assert.equal(window.size, 1)
})

test('many ids passing through leave only those of the window', () => {
  const window = new IdWindow(100)
  for (let time = 0; time < 20_000; time += 1) {
    window.add(`id-${time}`, { offset: time, atMs: time })
    window.expire(time)
  }
  assert.equal(window.size, 101)
  assert.equal(window.find('id-19899'), 19_899)
})
