import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import { seededRandom } from '../../../testing/index.ts'
import { until } from '../../until.ts'
import { contents, RaftGroup } from './raft-group.ts'

const bytes = (text: string) => Buffer.from(text)

/** Writes bytes to a member's port; resolves when the member has closed the connection. */
async function speak(address: string, said: readonly Uint8Array[]): Promise<void> {
  const [host, port] = address.split(':') as [string, string]
  const { promise, resolve } = Promise.withResolvers<void>()
  const socket: Socket = connect({ host, port: Number(port) })
  socket.on('error', () => undefined).on('close', () => resolve())
  for (const part of said) socket.write(part)
  socket.resume()
  await promise
}

function frame(body: Uint8Array): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt32LE(body.length, 0)
  head.writeUInt32LE(crc32(body), 4)
  return Buffer.concat([head, body])
}

test('Peers that speak garbage are cut off and counted, and the group does not notice', async (t) => {
  const group = await RaftGroup.make(t, 3)
  await group.startAll()
  const leader = await group.leader()
  const random = seededRandom(3)
  const greeting = (fields: object) => frame(Buffer.concat([Buffer.of(1), bytes(JSON.stringify(fields))]))
  const whole = { cluster: 'test', node: 9, incarnation: 'ff', storage: 'real', protocol: 1, to: 1, address: 'x:1' }
  const talks = [
    [bytes('GET / HTTP/1.1\r\nHost: skein\r\n\r\n')],
    [random.bytes(100_000)],
    [Buffer.from([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0])],
    [Buffer.alloc(8)],
    [frame(bytes('\u0001{"cluster":'))],
    [frame(Buffer.of(3, 1, 2, 3))],
    [greeting({ ...whole, to: Number(leader.status().id), lane: 'nothing' })],
    [greeting({ ...whole, to: Number(leader.status().id), lane: 'messages' }), frame(Buffer.of(3, 77))],
  ]
  for (const said of talks) await speak(leader.address, said)
  assert.ok(leader.connections().malformed >= talks.length - 1, `${leader.connections().malformed} were counted`)
  const ours = { ...whole, to: Number(leader.status().id), lane: 'messages' }
  for (const refused of [
    { ...ours, cluster: 'another' },
    { ...ours, to: 99 },
    { ...ours, node: Number(leader.status().id) },
    { ...ours, storage: 'memory' },
    { ...ours, protocol: 2 },
  ]) {
    const before = leader.connections().refused
    await speak(leader.address, [greeting(refused)])
    assert.equal(leader.connections().refused, before + 1, JSON.stringify(refused))
  }
  await leader.append([bytes('a')])
  assert.equal((await group.leader()).status().id, leader.status().id)
})

async function segmentOf(group: RaftGroup, id: number): Promise<string> {
  const names = (await readdir(join(group.folder(id), 'wal'))).filter((name) => /^\d+\./.test(name))
  const found = names.find((name) => !name.endsWith('index') && !name.includes('idx'))
  return join(group.folder(id), 'wal', found!)
}

test('A log that is damaged before its proven end is not opened: that member never votes again, and a new one takes its place', async (t) => {
  const group = await RaftGroup.make(t, 3)
  await group.startAll()
  const leader = await group.leader()
  const expected = Array.from({ length: 20 }, (_, at) => `command ${at} ${'x'.repeat(200)}`)
  for (const command of expected) await leader.append([bytes(command)])
  const hurt = [1, 2, 3].find((id) => group.logs.get(id) !== leader)!
  await until(() => group.logs.get(hurt)!.status().committedIndex === leader.status().committedIndex)
  await group.stop(hurt)
  const file = await segmentOf(group, hurt)
  const stored = await readFile(file)
  const at = stored.indexOf('command 7 ')
  stored[at + 3]! ^= 4
  await writeFile(file, stored)
  for (let attempt = 0; attempt < 2; attempt += 1) {
    await assert.rejects(group.start(hurt), { code: 'corrupt', message: /must not vote again.*another id/ })
  }
  assert.ok((await readFile(file)).equals(stored), 'nothing of it was changed')
  await leader.admin.remove(`${hurt}`)
  const fresh = await group.start(4)
  await leader.admin.addLearner({ id: '4', address: group.address(4) })
  await leader.admin.promote('4')
  await until(() => fresh.barrier().then(Boolean, () => false))
  assert.deepEqual(await contents(fresh), expected)
})

test('One bad vote slot is mended from the other; without both the member must not vote', async (t) => {
  const group = await RaftGroup.make(t, 1)
  await group.startAll()
  await group.leader()
  await group.stop(1)
  const file = join(group.folder(1), 'votes')
  const earlier = await readFile(file)
  for (const position of [0, 4_096]) {
    const damaged = await readFile(file)
    damaged[position + 25]! ^= 1
    await writeFile(file, damaged)
    await group.start(1)
    await group.leader()
    await group.stop(1)
    const mended = await readFile(file)
    assert.ok(mended.subarray(0, 40).equals(mended.subarray(4_096, 4_136)))
  }
  const damaged = await readFile(file)
  // It votes in terms of which the log holds entries by now.
  await writeFile(file, earlier)
  await assert.rejects(group.start(1), { code: 'corrupt' })
  damaged[25]! ^= 1
  damaged[4_096 + 25]! ^= 1
  await writeFile(file, damaged)
  await assert.rejects(group.start(1), { code: 'corrupt' })
})

test('What a later version wrote is not opened and not changed: identity, vote, log', async (t) => {
  const group = await RaftGroup.make(t, 1)
  await group.startAll()
  await (await group.leader()).append([bytes('a')])
  await group.stop(1)
  const identity = join(group.folder(1), 'identity')
  const text = await readFile(identity, 'utf8')
  await writeFile(identity, text.replace(/^skein 1 /, 'skein 2 '))
  await assert.rejects(group.start(1), { code: 'future-version' })
  await writeFile(identity, text)
  const votes = join(group.folder(1), 'votes')
  const slots = await readFile(votes)
  const later = Buffer.from(slots)
  for (const at of [0, 4_096]) {
    later.writeUInt32LE(2, at + 8)
    later.writeUInt32LE(crc32(later.subarray(at + 8, at + 40)), at + 4)
  }
  await writeFile(votes, later)
  await assert.rejects(group.start(1), { code: 'future-version' })
  await writeFile(votes, slots)
  const segment = await segmentOf(group, 1)
  const stored = await readFile(segment)
  const newer = Buffer.from(stored)
  // The first body is the frame that began this log; its own version stands first, under the checksums of its batch.
  const header = newer.indexOf('SKNB')
  newer[header + 104] = 2
  newer.writeUInt32LE(crc32(newer.subarray(header + 104, header + 104 + newer.readUInt32LE(header + 12))), header + 16)
  newer.writeUInt32LE(
    crc32(newer.subarray(header + 12, header + 104), crc32(newer.subarray(header, header + 8))),
    header + 8,
  )
  await writeFile(segment, newer)
  await assert.rejects(group.start(1), { code: 'future-version' })
  assert.ok((await readFile(segment)).equals(newer))
  await writeFile(segment, stored)
  await group.start(1)
  await (await group.leader()).barrier()
  assert.deepEqual(await contents(group.logs.get(1)!), ['a'])
})

test('A member whose identity or log is gone is not taken for a new one', async (t) => {
  const { rm } = await import('node:fs/promises')
  const group = await RaftGroup.make(t, 1)
  await group.startAll()
  await (await group.leader()).append([bytes('a')])
  await group.stop(1)
  const identity = join(group.folder(1), 'identity')
  const text = await readFile(identity)
  await rm(identity)
  await assert.rejects(group.start(1), { code: 'corrupt' })
  await writeFile(identity, text)
  await rm(join(group.folder(1), 'wal'), { recursive: true })
  await assert.rejects(group.start(1), { code: 'corrupt' })
})

test('A snapshot that fails its checksum is not sent and not read; the follower waits for a whole one', async (t) => {
  const group = await RaftGroup.make(t, 3)
  await group.startAll()
  const leader = await group.leader()
  const away = [1, 2, 3].find((id) => group.logs.get(id) !== leader)!
  await group.stop(away)
  await leader.append([bytes('a')])
  const write = (state: string) =>
    leader.snapshots.write({ index: leader.status().committedIndex, timeMs: 1 }, bytes(state))
  const bad = await write('damaged')
  await leader.compact(bad.index, bad)
  const chunk = join(group.folder(Number(leader.status().id)), 'snapshots', bad.name, 'chunk-000000')
  await writeFile(chunk, 'demaged')
  await assert.rejects(Array.fromAsync(leader.snapshots.read(bad)), { code: 'corrupt' })
  const back = await group.start(away)
  await leader.append([bytes('b')])
  const good = await write('whole')
  await leader.compact(good.index, good)
  await leader.append([bytes('c')])
  await until(() => back.status().snapshot?.index === good.index)
  assert.equal(Buffer.concat(await Array.fromAsync(back.snapshots.read(back.status().snapshot!))).toString(), 'whole')
  await until(async () => (await contents(back)).at(-1) === 'c')
})
