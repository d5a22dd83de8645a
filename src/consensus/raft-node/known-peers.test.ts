import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedDisk } from '../../../testing/index.ts'
import type { Identity } from './greeting.ts'
import { KnownPeers } from './known-peers.ts'

const peer = (node: number, incarnation: string): Identity => ({ cluster: 'c', node, incarnation, storage: 'real' })

test('The first data directory under an id is remembered across a power loss; another one is refused', async () => {
  const disk = new SimulatedDisk()
  const peers = await KnownPeers.open(disk, 'peers')
  await Promise.all([peers.check(peer(2, 'a')), peers.check(peer(3, 'b')), peers.check(peer(2, 'a'))])
  await assert.rejects(peers.check(peer(2, 'other')), { code: 'id-reused' })
  disk.losePower()
  disk.restart()
  const again = await KnownPeers.open(disk, 'peers')
  await again.check(peer(2, 'a'))
  await assert.rejects(again.check(peer(3, 'other')), { code: 'id-reused' })
})
