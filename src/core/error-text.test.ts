import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cutText, errorText, namedErrorText } from './error-text.ts'

const thrower = {
  get message(): string {
    throw new Error('no message either')
  },
}

test('errorText gives the message of an error and the text of anything else', () => {
  assert.equal(errorText(new TypeError('stalled')), 'stalled')
  assert.equal(errorText('stalled'), 'stalled')
  assert.equal(errorText(undefined), 'undefined')
  assert.equal(errorText(Symbol('odd')), 'Symbol(odd)')
  assert.equal(errorText(Object.assign(new Error(), { message: 7 })), '7')
  assert.equal(namedErrorText(new TypeError('stalled')), 'TypeError: stalled')
  assert.equal(namedErrorText(12n), '12')
})

test('errorText never throws, whatever was thrown', () => {
  const unprintable = [
    Object.create(null),
    Object.setPrototypeOf(thrower, Error.prototype),
    Object.assign(new Error(), { message: Object.create(null), name: Symbol('odd') }),
    { toString: () => ({}), valueOf: () => ({}) },
    Proxy.revocable({}, {}),
  ].map((one) => {
    if ('revoke' in one) one.revoke()
    return 'proxy' in one ? one.proxy : one
  })
  for (const error of unprintable) {
    assert.match(errorText(error), /cannot be printed/)
    assert.match(namedErrorText(error), /cannot be printed/)
  }
})

test('errorText cuts what is long, says so, and leaves no half character', () => {
  const text = errorText(new Error('x'.repeat(1024 * 1024)))
  assert.equal(text.length, 2_000)
  assert.equal(errorText(text), text, 'it is cut once')
  assert.match(text, /cut, 1048576 characters in all/)
  for (const max of [40, 41]) assert.equal(cutText('😀'.repeat(100), max).isWellFormed(), true)
  assert.equal(cutText('whole', 5), 'whole')
})
