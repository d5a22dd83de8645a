import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { BufferPool, SkeinError } from '../core/index.ts'
import { MessageAssembler } from './assembler.ts'
import { decodeFrame, encodeFrameHeader, FRAME_HEADER_BYTES, FrameKind } from './frame.ts'
import { LANES, Lane } from './lane.ts'
import { outgoing } from './message.ts'
import { PartialMessages } from './partial-messages.ts'
import { SendQueue } from './send-queue.ts'

const kind = fc.constantFrom(...Object.values(FrameKind))
function assemblerFor(messageBytesMax: number, partials = new PartialMessages(messageBytesMax)): MessageAssembler {
  return new MessageAssembler(messageBytesMax, {
    pool: new BufferPool(0),
    partials,
    abandon: () => assert.fail('nothing is given up here'),
  })
}

const uint32 = fc.integer({ min: 0, max: 0xffff_ffff })

test('decodeFrame() gives back what was encoded', () => {
  const header = fc.record({
    kind,
    lane: fc.constantFrom(...LANES),
    isFirst: fc.boolean(),
    isLast: fc.boolean(),
    channel: uint32,
    operation: fc.integer({ min: 0, max: 0xffff }),
  })
  fc.assert(
    fc.property(header, fc.uint8Array({ maxLength: 200 }), (fields, payload) => {
      const bytes = new Uint8Array(FRAME_HEADER_BYTES + payload.length)
      encodeFrameHeader(bytes, { ...fields, payloadBytes: payload.length })
      bytes.set(payload, FRAME_HEADER_BYTES)
      const { payload: decoded, ...rest } = decodeFrame(bytes)
      assert.deepEqual(rest, { ...fields })
      assert.deepEqual([...decoded], [...payload])
    }),
  )
})

test('decodeFrame() refuses a length that is not the payload’s, and every cut', () => {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + 10)
  encodeFrameHeader(bytes, {
    kind: FrameKind.call,
    lane: Lane.bulk,
    isFirst: true,
    isLast: true,
    channel: 1,
    operation: 2,
    payloadBytes: 10,
  })
  assert.equal(decodeFrame(bytes).payload.length, 10)
  for (let length = 0; length < bytes.length; length += 1) {
    assert.throws(() => decodeFrame(bytes.subarray(0, length)), { code: 'malformed-frame' })
  }
})

test('decodeFrame() tells a newer version from a malformed frame', () => {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES)
  bytes[0] = 9
  assert.throws(() => decodeFrame(bytes), { code: 'future-version', message: /version 9.*speaks 1/ })
})

test('100,000 mutated frames are each decoded or refused with a typed error, none stalls', () => {
  const queue = new SendQueue()
  const frames: Uint8Array[] = []
  for (const lane of LANES) {
    queue.push(
      outgoing(FrameKind.call, {
        lane,
        channel: 7,
        operation: 3,
        head: { topic: 'a.b' },
        body: [Buffer.alloc(200_000)],
      }),
    )
    queue.push(outgoing(FrameKind.cast, { lane, head: { reader: 1, bytes: 10 } }))
  }
  for (let frame = queue.next(false); frame !== undefined; frame = queue.next(false)) frames.push(frame)
  let state = 12345
  const random = (below: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return state % below
  }
  let assembler = assemblerFor(1024 * 1024)
  let refused = 0
  let slowestMs = 0
  for (let round = 0; round < 100_000; round += 1) {
    const frame = Uint8Array.from(frames[random(frames.length)]!.subarray(0, 64 + random(64)))
    new DataView(frame.buffer).setUint32(12, frame.length - FRAME_HEADER_BYTES)
    for (let flips = random(4); flips > 0; flips -= 1) frame[random(Math.min(frame.length, 40))]! ^= 1 << random(8)
    // Processor time: on a busy machine any call may take long by the clock.
    const started = process.threadCpuUsage()
    try {
      assembler.add(decodeFrame(random(50) === 0 ? frame.subarray(0, random(frame.length)) : frame))
    } catch (error) {
      assert.ok(error instanceof SkeinError, `round ${round}: ${String(error)}`)
      assert.match(error.code, /^(malformed-frame|future-version)$/)
      refused += 1
      assembler = assemblerFor(1024 * 1024)
    }
    const { user, system } = process.threadCpuUsage(started)
    slowestMs = Math.max(slowestMs, (user + system) / 1_000)
  }
  assert.ok(refused > 50_000, `only ${refused} were refused`)
  assert.ok(slowestMs < 100, `one took ${slowestMs} ms`)
})

test('A chopped message comes together again, with messages of other lanes in between', () => {
  const queue = new SendQueue()
  const body = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251))
  queue.push(outgoing(FrameKind.call, { lane: Lane.bulk, channel: 5, operation: 16, head: { n: 1 }, body: [body] }))
  const partials = new PartialMessages(1024 * 1024)
  const assembler = assemblerFor(1024 * 1024, partials)
  const seen: string[] = []
  for (let frame = queue.next(false), index = 0; frame !== undefined; frame = queue.next(false), index += 1) {
    if (index < 2) queue.push(outgoing(FrameKind.cast, { lane: Lane.urgent, head: { urgent: index } }))
    const message = assembler.add(decodeFrame(frame))
    if (message === undefined) continue
    seen.push(JSON.stringify(message.head))
    if (message.lane === Lane.bulk) assert.ok(Buffer.compare(body, message.body) === 0)
  }
  assert.deepEqual(seen, ['{"urgent":0}', '{"urgent":1}', '{"n":1}'])
  assert.equal(queue.byteLength, 0)
  assert.equal(partials.byteLength, 0)
})

test('MessageAssembler refuses a message over its limit before it has come', () => {
  const queue = new SendQueue()
  queue.push(outgoing(FrameKind.call, { lane: Lane.bulk, body: [Buffer.alloc(400_000)] }))
  const assembler = assemblerFor(150_000)
  assert.throws(() => assembler.add(decodeFrame(queue.next(false)!)), {
    code: 'malformed-frame',
    message: /longer than/,
  })
})

test('A message that is longer or shorter than it said is refused', () => {
  const frames = () => {
    const queue = new SendQueue()
    queue.push(outgoing(FrameKind.call, { lane: Lane.bulk, body: [Buffer.alloc(40_000)] }))
    return [queue.next(false)!, queue.next(false)!, queue.next(false)!].map(decodeFrame)
  }
  const short = assemblerFor(150_000)
  const [first, second, third] = frames()
  short.add(first!)
  assert.throws(() => short.add({ ...second!, isLast: true }), { code: 'malformed-frame', message: /instead of/ })
  const long = assemblerFor(150_000)
  for (const frame of [first!, second!, { ...third!, isLast: false }]) assert.equal(long.add(frame), undefined)
  assert.throws(() => long.add(second!), { code: 'malformed-frame', message: /longer than the/ })
})
