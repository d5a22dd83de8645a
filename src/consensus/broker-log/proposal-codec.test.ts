import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeProposal, encodeProposal, proposalBytes } from './proposal-codec.ts'

const proposal = {
  proposer: '0123456789abcdef01234567',
  number: 7,
  commands: [new Uint8Array([1, 2, 3]), new Uint8Array(0), new Uint8Array([4])],
}

test('A proposal comes back as it was encoded, in as many bytes as were foretold', () => {
  const bytes = encodeProposal(proposal)
  assert.deepEqual(decodeProposal(bytes), proposal)
  assert.equal(bytes.length, proposalBytes(proposal.commands))
})

test('What is cut short, or longer, or another version is no proposal', () => {
  const bytes = encodeProposal(proposal)
  for (let length = 0; length < bytes.length; length += 1) {
    assert.throws(() => decodeProposal(bytes.subarray(0, length)), { code: 'corrupt' }, `of ${length} bytes`)
  }
  assert.throws(() => decodeProposal(Buffer.concat([bytes, Buffer.from([0])])), { code: 'corrupt' })
  assert.throws(() => decodeProposal(bytes.with(0, 0)), { code: 'corrupt' })
  assert.throws(() => decodeProposal(bytes.with(0, 2)), { code: 'future-version' })
})
