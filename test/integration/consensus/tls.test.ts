import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { test } from 'node:test'
import { until } from '../../until.ts'
import { makeCertificates } from '../certificates.ts'
import { contents, RaftGroup } from './raft-group.ts'

test('Over TLS members know each other by certificates, snapshots included; without one nobody is heard', async (t) => {
  const { ca: authority, certFile, keyFile } = await makeCertificates(t)
  const tls = { authority, certificate: await readFile(certFile, 'utf8'), key: await readFile(keyFile, 'utf8') }
  const group = await RaftGroup.make(t, 3, { tls })
  await group.start(1)
  await group.start(2)
  const leader = await group.leader()
  await leader.append([Buffer.from('a')])
  const index = leader.status().committedIndex
  const snapshot = await leader.snapshots.write({ index, timeMs: 1 }, Buffer.alloc(3_000_000, 's'))
  await leader.compact(index, snapshot)
  await leader.append([Buffer.from('b')])
  const late = await group.start(3)
  await until(() => late.barrier().then(Boolean, () => false))
  assert.deepEqual(await contents(late), [`snapshot ${index}`, 'b'])
  const others = await makeCertificates(t)
  await group.stop(3)
  const stranger = {
    authority: others.ca,
    certificate: await readFile(others.certFile, 'utf8'),
    key: await readFile(others.keyFile, 'utf8'),
  }
  const outside = await group.start(3, { tls: stranger })
  await until(() => outside.connections().peers.every(({ error }) => error?.code === 'connection-lost'))
  assert.equal(outside.status().leader, undefined)
  // Plain bytes end in the handshake.
  const [host, port] = leader.address.split(':') as [string, string]
  const ended = Promise.withResolvers<void>()
  const socket = connect({ host, port: Number(port) }, () => socket.write('hello, is somebody there?\r\n\r\n'))
  socket.on('error', () => undefined).on('close', () => ended.resolve())
  await ended.promise
  await leader.append([Buffer.from('c')])
})
