import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { seededRandom } from '../../../testing/index.ts'
import { SkeinError } from '../../core/index.ts'
import type { Entry } from '../../raft/index.ts'
import { encodeMessage, type LinkMessage, readMessage } from './message-codec.ts'

const WAY = { from: 3, to: 7 }

function encode(message: LinkMessage): Buffer {
  return Buffer.concat(encodeMessage(message, 0))
}

const number = fc.maxSafeNat()
const envelope = { from: fc.constant(WAY.from), to: fc.constant(WAY.to), term: number }
const entries = fc.array(
  fc.record({
    term: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    kind: fc.constantFrom<Entry['kind']>('command', 'config', 'empty'),
    data: fc.uint8Array({ maxLength: 40 }),
  }),
  { maxLength: 8 },
)
const append = fc
  .record({ ...envelope, prevIndex: fc.nat(), prevTerm: number, commit: number, bare: entries })
  .map(({ bare, ...rest }): LinkMessage => {
    return { type: 'append', ...rest, entries: bare.map((entry, at) => ({ index: rest.prevIndex + 1 + at, ...entry })) }
  })
const message: fc.Arbitrary<LinkMessage> = fc.oneof(
  append,
  fc.record({ type: fc.constant('append-accepted' as const), ...envelope, index: number }),
  fc.record({
    ...{ type: fc.constant('append-rejected' as const), ...envelope },
    ...{ index: number, hintIndex: number, hintTerm: number },
  }),
  fc.record({ type: fc.constant('heartbeat' as const), ...envelope, commit: number, readRound: number }),
  fc.record({ type: fc.constant('heartbeat-reply' as const), ...envelope, readRound: number }),
  fc.record({
    ...{ type: fc.constant('vote-request' as const), ...envelope, commit: number, commitTerm: number },
    ...{ lastIndex: number, lastTerm: number, preVote: fc.boolean(), transfer: fc.boolean() },
  }),
  fc.record({
    ...{ type: fc.constant('vote-reply' as const), ...envelope, commit: number, commitTerm: number },
    ...{ preVote: fc.boolean(), granted: fc.boolean() },
  }),
  fc.record({ type: fc.constant('timeout-now' as const), ...envelope }),
  fc.record({ type: fc.constant('transfer' as const), ...envelope, target: number }),
  fc.record({ type: fc.constant('read-request' as const), ...envelope, request: number }),
  fc.record({ type: fc.constant('read-reply' as const), ...envelope, request: number, index: number }),
)

test('Every message is read as it was written', () => {
  fc.assert(fc.property(message, (given) => assert.deepEqual(readMessage(encode(given), WAY), { ...given })))
})

test('A message cut off or followed by something is malformed', () => {
  fc.assert(
    fc.property(message, fc.nat(), (given, at) => {
      const bytes = encode(given)
      assert.throws(() => readMessage(bytes.subarray(0, at % bytes.length), WAY), { code: 'malformed-frame' })
      assert.throws(() => readMessage(Buffer.concat([bytes, Buffer.of(0)]), WAY), { code: 'malformed-frame' })
    }),
  )
})

test('Random and mutated bytes are read or malformed, never anything else, and never slowly', () => {
  const random = seededRandom(11)
  const pick = (below: number) => Math.floor(random.float() * below)
  const whole = encode({
    ...{ type: 'append', ...WAY, term: 4, prevIndex: 10, prevTerm: 3, commit: 9 },
    entries: [11, 12, 13].map((index) => ({ index, term: 4, kind: 'command', data: Buffer.from(`command ${index}`) })),
  })
  for (let round = 0; round < 20_000; round += 1) {
    const bytes = round % 2 === 0 ? Buffer.from(random.bytes(pick(80))) : Buffer.from(whole)
    for (let flips = pick(4); flips >= 0 && bytes.length > 0; flips -= 1) bytes[pick(bytes.length)] = pick(256)
    const startMs = performance.now()
    try {
      readMessage(bytes, WAY)
    } catch (error) {
      assert.ok(error instanceof SkeinError && error.code === 'malformed-frame', String(error))
    }
    assert.ok(performance.now() - startMs < 1_000)
  }
})
