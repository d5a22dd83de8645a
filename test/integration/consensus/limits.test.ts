import assert from 'node:assert/strict'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Disk } from '../../../src/core/index.ts'
import { systemDisk } from '../../../src/core/system/index.ts'
import { smallDisk } from '../../small-disk.ts'
import { until } from '../../until.ts'
import { contents, RaftGroup } from './raft-group.ts'

const WITHIN = { withinMs: 60_000 }
const MIB = 1024 * 1024

/** A disk whose syncs can be held up. */
function heldDisk() {
  const disk = systemDisk()
  let opened = Promise.resolve()
  let open = () => {}
  const held: Disk = {
    kind: disk.kind,
    list: (directory) => disk.list(directory),
    makeDirectory: (directory) => disk.makeDirectory(directory),
    syncDirectory: (directory) => disk.syncDirectory(directory),
    rename: (from, to) => disk.rename(from, to),
    link: (from, to) => disk.link(from, to),
    remove: (path) => disk.remove(path),
    size: (path) => disk.size(path),
    lock: (directory) => disk.lock(directory),
    open: async (path, mode) => {
      const file = await disk.open(path, mode)
      return {
        writev: (buffers, position) => file.writev(buffers, position),
        read: (target, position) => file.read(target, position),
        truncate: (length) => file.truncate(length),
        size: () => file.size(),
        close: () => file.close(),
        datasync: async () => {
          await opened
          return file.datasync()
        },
      }
    },
  }
  return {
    disk: held,
    hold() {
      opened = new Promise((resolve) => {
        open = resolve
      })
    },
    release: () => open(),
  }
}

const large = (name: string) => Buffer.from(name.padEnd(20_000, '.'))
const namesOf = (found: readonly string[]) => found.map((text) => text.replace(/\.+$/, ''))

test('More appended than may wait to be committed is overloaded, retryable, and nothing of it is in the log', async (t) => {
  const held = heldDisk()
  t.after(() => held.release())
  const group = await RaftGroup.make(t, 1, { uncommittedBytesMax: 100_000, disk: held.disk })
  await group.startAll()
  const leader = await group.leader()
  await leader.append([large('before')])
  held.hold()
  const accepted = Array.from({ length: 4 }, (_, at) => leader.append([large(`accepted ${at}`)]))
  // Each call is all or none, also when only a part of it would find room.
  const refused = [leader.append([large('refused 1'), large('refused 2')]), leader.append([large('a'), large('b')])]
  for (const call of refused) await assert.rejects(call, { code: 'overloaded', retryable: true })
  held.release()
  await Promise.all(accepted)
  await leader.append([large('after')])
  const expected = ['before', ...accepted.map((_, at) => `accepted ${at}`), 'after']
  assert.deepEqual(namesOf(await contents(leader)), expected)
})

test('One call that is larger than all that may wait is taken when nothing else does', async (t) => {
  const group = await RaftGroup.make(t, 1, { uncommittedBytesMax: 10_000 })
  await group.startAll()
  const leader = await group.leader()
  await leader.append([large('a'), large('b')])
  assert.deepEqual(namesOf(await contents(leader)), ['a', 'b'])
})

test('On a full disk appends are refused as disk-full, retryable; with room the accepted ones are acknowledged, and it goes on', async (t) => {
  const small = await smallDisk(t, 12 * MIB)
  if (typeof small === 'string') return t.skip(small)
  const ballast = join(small.path, 'ballast')
  await writeFile(ballast, Buffer.alloc(6 * MIB))
  const group = await RaftGroup.make(t, 1)
  const leader = await group.start(1, { directory: join(small.path, 'raft') })
  await until(() => leader.status().state === 'leading', WITHIN)
  const accepted: Array<Promise<unknown>> = []
  let refusal: { code?: string; retryable?: boolean } | undefined
  await until(async () => {
    assert.ok(accepted.length < 30, 'more was accepted than the disk can hold')
    const call = leader.append([Buffer.alloc(MIB / 2, accepted.length + 1)])
    accepted.push(call)
    // On a disk that has just become full the append waits for room: the next one is told.
    const outcome = await Promise.race([
      call.catch((error) => error),
      new Promise((resolve) => setTimeout(resolve, 300)),
    ])
    if (!(outcome instanceof Error)) return false
    accepted.pop()
    refusal = outcome as typeof refusal
    return true
  }, WITHIN)
  assert.deepEqual([refusal?.code, refusal?.retryable], ['disk-full', true])
  assert.equal(leader.status().state, 'leading')
  const before = await contents(leader)
  assert.ok(before.length > 3 && before.length <= accepted.length, 'reads go on')
  await rm(ballast)
  await Promise.all(accepted)
  await until(() => leader.append([Buffer.from('after')]).then(Boolean, () => false), WITHIN)
  const found = await contents(leader)
  assert.equal(found.length, accepted.length + 1)
  assert.equal(found.at(-1), 'after')
})
