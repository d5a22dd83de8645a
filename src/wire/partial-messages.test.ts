import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type PartialMessage, PartialMessages } from './partial-messages.ts'

function message(heldBytes: number, abandoned: PartialMessage[]): PartialMessage & { heldBytes: number } {
  const made = { heldBytes, abandon: () => abandoned.push(made) }
  return made
}

test('PartialMessages gives up those that got nothing for longest, and only as many as it must', () => {
  const abandoned: PartialMessage[] = []
  const partials = new PartialMessages(100)
  const [first, second, third] = [message(40, abandoned), message(40, abandoned), message(10, abandoned)]
  for (const one of [first, second, third]) partials.touch(one)
  partials.touch(first)
  third.heldBytes = 30
  partials.touch(third)
  assert.deepEqual(abandoned, [second])
  assert.equal(partials.byteLength, 70)
})

test('PartialMessages lets one message have what it needs when it is alone', () => {
  const abandoned: PartialMessage[] = []
  const partials = new PartialMessages(100)
  const large = message(150, abandoned)
  partials.touch(large)
  assert.deepEqual(abandoned, [])
  partials.end(large)
  partials.end(large)
  assert.equal(partials.byteLength, 0)
})
