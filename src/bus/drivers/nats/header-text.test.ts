import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeHeaderText, encodeHeaderName, encodeHeaderValue } from './header-text.ts'

test('any header value comes back, and is printable ASCII without blanks at its ends on the way', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const encoded = encodeHeaderValue(text)
      assert.match(encoded, /^([!-~]([ -~]*[!-~])?)?$/)
      assert.equal(decodeHeaderText(encoded), text.toWellFormed())
    }),
  )
})

test('plain values and names stay as they are', () => {
  assert.equal(encodeHeaderValue('00-4bf9-01 a=b'), '00-4bf9-01 a=b')
  assert.equal(encodeHeaderName('ce-type'), 'ce-type')
})

test('a name with a colon or a line break cannot make another header', () => {
  assert.equal(encodeHeaderName('a:b\r\n'), 'a%3Ab%0D%0A')
})

test('a value that somebody else wrote with a lone percent sign is left alone', () => {
  assert.equal(decodeHeaderText('100%'), '100%')
})
