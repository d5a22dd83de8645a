import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../../testing/index.ts'
import { encodeFrame, FrameDecoder } from './frames.ts'

test('Frames come out as they went in, however the stream is cut', () => {
  const random = seededRandom(5)
  const bodies = Array.from({ length: 300 }, (_, at) =>
    random.bytes(Math.floor(random.float() * (at % 7 === 0 ? 3_000 : 40))),
  )
  const stream = Buffer.concat(bodies.map((body) => encodeFrame(9, body)))
  for (const step of [1, 7, 8, 9, 100, 4_096, stream.length]) {
    const found: Buffer[] = []
    const decoder = new FrameDecoder(4_000, (body) => found.push(Buffer.from(body)))
    for (let at = 0; at < stream.length; at += step) decoder.push(stream.subarray(at, at + step))
    assert.equal(found.length, bodies.length)
    assert.ok(found.every((body, at) => body[0] === 9 && body.subarray(1).equals(bodies[at]!)))
  }
})

test('A frame that is too long, empty or damaged is malformed as soon as it shows', () => {
  const decoder = () => new FrameDecoder(100, () => assert.fail('nothing is given'))
  const long = Buffer.alloc(8)
  long.writeUInt32LE(101, 0)
  assert.throws(() => decoder().push(long), { code: 'malformed-frame' })
  assert.throws(() => decoder().push(Buffer.alloc(8)), { code: 'malformed-frame' })
  const frame = encodeFrame(1, Buffer.from('hello'))
  for (let bit = 32; bit < frame.length * 8; bit += 1) {
    const damaged = Buffer.from(frame)
    damaged[bit >> 3]! ^= 1 << (bit & 7)
    assert.throws(() => decoder().push(damaged), { code: 'malformed-frame' }, `bit ${bit}`)
    const bytewise = decoder()
    assert.throws(
      () =>
        damaged.forEach((_, at) => {
          bytewise.push(damaged.subarray(at, at + 1))
        }),
      { code: 'malformed-frame' },
    )
  }
})
