import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedClock } from '../../../../testing/index.ts'
import { BufferPool } from '../../../core/index.ts'
import { Precedence } from '../../../wire/index.ts'
import { RemoteWriter } from './remote-writer.ts'

test('A writer whose node is away holds no more than it may', async () => {
  const clock = new SimulatedClock()
  const writer = new RemoteWriter({
    clock,
    pool: new BufferPool(0),
    precedence: new Precedence(clock),
    producerId: 1,
    topic: new Promise(() => {}),
    lane: () => assert.fail('nothing is written before the topic is known'),
    pendingBytesMax: 1_000_000,
    onClosed: () => {},
  })
  const refused: unknown[] = []
  let taken = 0
  for (; taken < 1_000 && refused.length === 0; taken += 1) {
    writer.write([{ subject: 'a.b', value: 'x'.repeat(10_000) }]).catch((error: unknown) => refused.push(error))
    await Promise.resolve()
    if (writer.full) break
  }
  assert.ok(taken >= 90 && taken <= 110, `${taken} batches of 10,000 bytes were taken`)
  await assert.rejects(writer.write([{ subject: 'a.b', value: 'x' }]), { code: 'overloaded', retryable: true })
})
