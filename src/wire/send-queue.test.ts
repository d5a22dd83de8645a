import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FrameKind } from './frame.ts'
import { Lane } from './lane.ts'
import { outgoing } from './message.ts'
import { SendQueue } from './send-queue.ts'

/** Where the header of a frame has its lane. */
const LANE_AT = 2

/** The lanes of the frames as they leave; each message here is one frame. */
function drained(queue: SendQueue, urgentOnly = false): number[] {
  const lanes: number[] = []
  for (let frame = queue.next(urgentOnly); frame !== undefined; frame = queue.next(urgentOnly)) {
    lanes.push(frame[LANE_AT]!)
  }
  return lanes
}

function filled(counts: Readonly<Record<Lane, number>>): SendQueue {
  const queue = new SendQueue()
  for (const lane of [Lane.bulk, Lane.normal, Lane.urgent]) {
    for (let n = 0; n < counts[lane]; n += 1) queue.push(outgoing(FrameKind.cast, { lane, operation: 1 }))
  }
  return queue
}

describe('SendQueue', () => {
  it('gives urgent frames first, then normal, then bulk', () => {
    const lanes = drained(filled({ [Lane.urgent]: 2, [Lane.normal]: 2, [Lane.bulk]: 2 }))
    assert.deepEqual(lanes, [Lane.urgent, Lane.urgent, Lane.normal, Lane.normal, Lane.bulk, Lane.bulk])
  })

  it('gives a waiting lower frame its turn among ever so many urgent ones', () => {
    const lanes = drained(filled({ [Lane.urgent]: 1_000, [Lane.normal]: 0, [Lane.bulk]: 5 }))
    assert.equal(lanes.length, 1_005)
    const turns = lanes.flatMap((lane, index) => (lane === Lane.bulk ? [index] : []))
    assert.equal(turns.length, 5)
    assert.ok(turns[0]! > 0 && turns.at(-1)! <= 500, `they left as frames ${turns}`)
  })

  it('gives urgent frames alone while the peer has enough of the others', () => {
    const queue = filled({ [Lane.urgent]: 3, [Lane.normal]: 2, [Lane.bulk]: 2 })
    assert.equal(drained(queue, true).length, 3)
    assert.equal(drained(queue).length, 4)
  })
})
