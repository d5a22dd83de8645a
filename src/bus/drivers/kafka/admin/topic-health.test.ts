import assert from 'node:assert/strict'
import { test } from 'node:test'
import { topicHealth } from './topic-health.ts'

const brokers = new Map(
  [1, 2, 3].map((nodeId) => [nodeId, { nodeId, host: 'h', port: nodeId, rack: nodeId === 1 ? 'east' : 'west' }]),
)

test('partitions that lack a replica, a leader or a second rack are counted', () => {
  const partitions = [
    { leader: 1, replicas: [1, 2, 3], inSync: [1, 2, 3] },
    { leader: 2, replicas: [2, 3], inSync: [2] },
    { leader: -1, replicas: [1, 4], inSync: [1] },
  ]
  const health = topicHealth('t', { id: 'i', partitions }, brokers)
  assert.deepEqual([health.underReplicated, health.leaderless, health.inOneRack], [2, 1, 1])
  assert.equal(health.partitions[0]!.leader, 'broker 1 (h:1)')
  assert.deepEqual(health.partitions[2]!.replicas[1], { server: 'broker 4 (gone)', rack: undefined, isInSync: false })
})

test('without racks nothing is in one rack alone', () => {
  const plain = new Map([[1, { nodeId: 1, host: 'h', port: 1, rack: undefined }]])
  const health = topicHealth('t', { id: 'i', partitions: [{ leader: 1, replicas: [1], inSync: [1] }] }, plain)
  assert.deepEqual([health.underReplicated, health.leaderless, health.inOneRack], [0, 0, 0])
})
