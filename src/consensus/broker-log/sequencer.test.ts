import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { falter } from '../../../test/falter.ts'
import { until } from '../../../test/until.ts'
import { seededRandom } from '../../../testing/index.ts'
import { openEmbeddedBus } from '../../bus/drivers/embedded/index.ts'
import { memoryDisk, type SkeinError } from '../../core/index.ts'
import { systemClock, systemRandom } from '../../core/system/index.ts'
import { openDirectoryStore } from '../../objects/index.ts'
import { SnapshotStore } from '../snapshot-store.ts'
import { OrderedTopic } from './ordered-topic.ts'
import { encodeProposal } from './proposal-codec.ts'
import { Sequencer } from './sequencer.ts'

const PROPOSER = 'ab'.repeat(12)

/** A log's two topics, and as many members as are asked for, each with a sequencer that nobody has elected yet. */
async function make(t: TestContext) {
  const machine = { clock: systemClock, random: systemRandom }
  const disk = memoryDisk()
  const bus = await openEmbeddedBus({ ...machine, disk, directory: 'bus' })
  t.after(() => bus.close())
  for (const name of ['log', 'proposals']) await bus.open({ name, intent: 'event', partitions: 1, durability: 'none' })
  const objects = await openDirectoryStore({ disk, directory: 'objects' })
  const writer = bus.writer('proposals')
  let number = 0
  const propose = async (...texts: readonly string[]) => {
    number += 1
    const value = encodeProposal({ proposer: PROPOSER, number, commands: texts.map((text) => Buffer.from(text)) })
    await writer.write([{ subject: 'proposals.call', key: 'log', value }])
  }
  const member = async (id: string, cluster = 'test') => {
    const snapshots = new SnapshotStore({ objects, random: systemRandom })
    const limits = { commandBytesMax: 1_000, pendingBytesMax: 1_000_000 }
    const told: number[] = []
    const ordered = new OrderedTopic(
      { ...machine, bus, topic: 'log', id, snapshots, ...limits },
      { onCall: ({ origin }) => told.push(origin!.number), onClaim: () => {}, onFailed: () => {} },
    )
    await ordered.catchUp()
    const failures: SkeinError[] = []
    const onFailed = (error: Error) => failures.push(error as SkeinError)
    const sequencer = new Sequencer({ ...machine, bus, ordered, proposals: 'proposals', cluster, retryMs: 1, onFailed })
    t.after(async () => {
      await sequencer.close()
      await ordered.close()
    })
    return { sequencer, ordered, told, failures }
  }
  return { bus, propose, member }
}

test('Who leads in a term that the topic has left behind writes nothing, and in the end fails as fenced', async (t) => {
  const { propose, member } = await make(t)
  const late = await member('late')
  const next = await member('next')
  next.sequencer.lead(9)
  await propose('a')
  await until(() => late.told.length === 1)
  late.sequencer.lead(9)
  await until(() => late.failures.length === 1)
  assert.equal(late.failures[0]!.code, 'fenced')
  assert.deepEqual([late.ordered.fold.leader?.id, late.ordered.fold.epoch], ['next', 9])
  await propose('b')
  await until(() => late.told.length === 2)
  assert.deepEqual(next.failures, [])
})

test('Leaders that follow each other in any order of their proposals take each once, and none is left out', async (t) => {
  const { propose, member } = await make(t)
  const members = [await member('a'), await member('b'), await member('c')]
  for (let term = 1; term <= 12; term += 1) {
    // The last one is not told, as when its process stands still: it goes on until its own view says otherwise.
    members[term % 3]!.sequencer.lead(term)
    await Promise.all(Array.from({ length: 10 }, (_, at) => propose(`${term}.${at}`)))
  }
  const expected = Array.from({ length: 120 }, (_, at) => at + 1)
  for (const { told } of members) {
    await until(() => told.length === expected.length)
    assert.deepEqual(told, expected)
  }
})

test('Whatever writes of a leader fail, in whole or in part, it orders every proposal in the end, each once', async (t) => {
  for (let seed = 1; seed <= 5; seed += 1) {
    const { propose, member } = await make(t)
    const members = [await member('a'), await member('b')]
    for (const { ordered } of members) falter(ordered.writer, seededRandom(seed))
    for (let term = 1; term <= 4; term += 1) {
      members[term % 2]!.sequencer.lead(term)
      for (let at = 0; at < 8; at += 1) await propose(`${term}.${at} first`, `${term}.${at} second`)
    }
    const expected = Array.from({ length: 32 }, (_, at) => at + 1)
    for (const { told } of members) {
      await until(() => told.length === expected.length)
      assert.deepEqual(told, expected, `seed ${seed}`)
    }
  }
})

test('A topic of proposals that was deleted and made again is corrupt: its places would be taken for those in the log', async (t) => {
  const { bus, propose, member } = await make(t)
  const first = await member('first')
  first.sequencer.lead(1)
  for (const text of ['a', 'b', 'c']) await propose(text)
  await until(() => first.told.length === 3)
  first.sequencer.resign()
  await bus.admin.deleteTopic('proposals')
  await bus.open({ name: 'proposals', intent: 'event', partitions: 1, durability: 'none' })
  first.sequencer.lead(2)
  await until(() => first.failures.length === 1)
  assert.equal(first.failures[0]!.code, 'corrupt')
})

test('A topic that another group writes to is not taken over', async (t) => {
  const { member } = await make(t)
  const ours = await member('ours')
  const others = await member('others', 'another')
  ours.sequencer.lead(1)
  await until(() => others.ordered.fold.epoch === 1)
  others.sequencer.lead(5)
  await until(() => others.failures.length === 1)
  assert.equal(others.failures[0]!.code, 'wrong-cluster')
  assert.equal(ours.ordered.fold.leader?.id, 'ours')
})
