import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WorkAcknowledger } from './work-acknowledger.ts'

/** What the broker would be told, as `tag` or `..tag`. */
function told(base: number) {
  const acks: string[] = []
  const channel = {
    ack: ({ fields }: { readonly fields: object }, allUpTo?: boolean) => {
      const { deliveryTag } = fields as { readonly deliveryTag: number }
      acks.push(allUpTo === true ? `..${deliveryTag}` : String(deliveryTag))
    },
  }
  return { acks, acknowledger: new WorkAcknowledger(channel, base) }
}

const held = (...offsets: number[]) => offsets.map((offset) => [offset, 1] as const)

test('what is done in order is acknowledged at once, by the tags of its channel, and once', () => {
  const { acks, acknowledger } = told(100)
  acknowledger.acknowledge({ settled: 103, held: [] })
  acknowledger.acknowledge({ settled: 103, held: [] })
  acknowledger.acknowledge({ settled: 104, held: [] })
  assert.deepEqual(acks, ['..3', '..4'])
  assert.equal(acknowledger.count, 4)
})

test('what is held is never acknowledged, what is done around it is, each once', () => {
  const { acks, acknowledger } = told(0)
  acknowledger.acknowledge({ settled: 5, held: held(1, 3) })
  assert.deepEqual(acks, ['..1', '3', '5'])
  acknowledger.acknowledge({ settled: 6, held: held(3) })
  assert.deepEqual(acks, ['..1', '3', '5', '..2', '6'])
  assert.equal(acknowledger.count, 5)
})

test('a range never ends at a tag that was acknowledged alone: the broker does not know it any more', () => {
  const { acks, acknowledger } = told(0)
  acknowledger.acknowledge({ settled: 4, held: held(0) })
  acknowledger.acknowledge({ settled: 4, held: [] })
  assert.deepEqual(acks, ['2', '3', '4', '..1'])
  assert.equal(acknowledger.count, 4)
})
