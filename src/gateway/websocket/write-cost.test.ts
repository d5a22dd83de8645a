import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RecordBatchBuilder } from '../../log/index.ts'
import { writeCost } from './write-cost.ts'

function bodyOf(...records: ReadonlyArray<readonly [subject: string, value: string, source?: string]>): Uint8Array {
  const builder = new RecordBatchBuilder()
  for (const [subject, value, source] of records) {
    builder.add({ subject, value, timestampMs: 0, ...(source !== undefined && { headers: { source } }) })
  }
  return Buffer.concat(builder.finish().parts)
}

const from = { topic: 'swarm', principal: 'p' }

test('writeCost() charges all to the one agent of a client, and to nobody where none has joined', () => {
  const body = bodyOf(['swarm.north.drone-7', 'abc'], ['swarm.north.drone-8', 'é'])
  const [cost, ...others] = writeCost(body, { ...from, agents: new Set(['drone-7']) })
  assert.deepEqual(cost, { ...from, agent: 'drone-7', messages: 2, bytes: 5 })
  assert.deepEqual(others, [])
  assert.deepEqual(writeCost(body, { ...from, agents: undefined }), [{ ...cost, agent: undefined }])
})

test('writeCost() tells the agents of one client apart by source, else by a level of the subject', () => {
  const body = bodyOf(
    ['swarm.north.drone-7', 'a'],
    ['swarm.north.drone-8', 'bb'],
    ['swarm.north.drone-77', 'ccc'],
    ['swarm.north.drone-7', 'dddd', 'drone-8'],
  )
  assert.deepEqual(writeCost(body, { ...from, agents: new Set(['drone-7', 'drone-8']) }), [
    { ...from, agent: 'drone-7', messages: 1, bytes: 1 },
    { ...from, agent: 'drone-8', messages: 2, bytes: 6 },
    { ...from, agent: undefined, messages: 1, bytes: 3 },
  ])
})
