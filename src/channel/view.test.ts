import assert from 'node:assert/strict'
import { test } from 'node:test'
import Type from 'typebox'
import { channelsInMemory } from '../../test/channels-in-memory.ts'
import { event } from './event.ts'
import type { ViewOptions } from './view/view.ts'

const Sighting = event('swarm.sightings.{targetId}', {
  schema: Type.Object({ targetId: Type.String(), seen: Type.Integer() }),
  key: 'targetId',
  partitions: 3,
})
const Loss = event('swarm.losses.{targetId}', { schema: Type.Object({ targetId: Type.String() }), key: 'targetId' })

type Counts = Readonly<Record<string, number>>
const counting: ViewOptions<Counts, { targetId: string; seen: number }> = {
  name: 'counts',
  initial: () => ({}),
  fold: (state, { value }) => ({ ...state, [value.targetId]: (state[value.targetId] ?? 0) + value.seen }),
}

test('a view lets you read your own writes by their receipt', async (t) => {
  const { channels } = await channelsInMemory(t)
  await channels.append(Sighting, { targetId: 'whale', seen: 1 })
  const view = await channels.view(Sighting, counting)
  await view.ready()
  assert.deepEqual(view.state, { whale: 1 })
  for (let seen = 2; seen < 20; seen += 1) {
    const receipt = await channels.append(Sighting, { targetId: seen % 2 === 0 ? 'seal' : 'whale', seen })
    const before = view.folded
    await view.reached(receipt, { timeoutMs: 5_000 })
    assert.equal(view.folded, before + 1)
  }
  assert.deepEqual(view.state, { whale: 100, seal: 90 })
  await view.close()
})

test('a view goes on from its snapshot, and folds nothing twice', async (t) => {
  const before = await channelsInMemory(t)
  for (let seen = 1; seen <= 30; seen += 1) await before.channels.append(Sighting, { targetId: `t${seen % 4}`, seen })
  const first = await before.channels.view(Sighting, { ...counting, snapshotEveryMessages: 10 })
  await first.ready()
  const state = first.state
  await first.close()
  const after = await before.reopen()
  let folds = 0
  const fold: typeof counting.fold = (counts, message) => {
    folds += 1
    return counting.fold(counts, message)
  }
  const second = await after.channels.view(Sighting, { ...counting, fold })
  await second.ready()
  assert.deepEqual(second.state, state)
  assert.deepEqual([folds, second.folded], [0, 30])
  await second.reached(await after.channels.append(Sighting, { targetId: 't0', seen: 5 }))
  assert.deepEqual([folds, second.state.t0], [1, (state.t0 ?? 0) + 5])
  await second.close()
})

test('a damaged snapshot is passed over and reported; one of another version is not used', async (t) => {
  const before = await channelsInMemory(t)
  for (let seen = 1; seen <= 5; seen += 1) await before.channels.append(Sighting, { targetId: 'a', seen })
  const first = await before.channels.view(Sighting, counting)
  await first.ready()
  await first.close()
  const [snapshot] = await before.objects.list('views/counts/')
  const bytes = await before.objects.get(snapshot!.name)
  bytes[bytes.length - 3]! ^= 1
  await before.objects.put(snapshot!.name, bytes)
  const after = await before.reopen()
  const second = await after.channels.view(Sighting, counting)
  await second.ready()
  assert.deepEqual(second.state, { a: 15 })
  assert.match((after.errors[0] as Error).message, /SHA-256/)
  await second.close()
  const third = await after.channels.view(Sighting, { ...counting, version: 2, fold: (state) => state })
  await third.ready()
  assert.deepEqual([third.state, third.folded], [{}, 5])
  await third.close()
})

test('a view folds several channels and tells them apart by type', async (t) => {
  const { channels } = await channelsInMemory(t)
  await channels.open([Sighting, Loss])
  const view = await channels.view<string[], { targetId: string }>([Sighting, Loss], {
    name: 'log',
    initial: () => [],
    fold: (state, message) => [...state, `${message.type === Loss.type ? 'lost' : 'saw'} ${message.value.targetId}`],
  })
  await view.reached(await channels.append(Sighting, { targetId: 'whale', seen: 1 }))
  await view.reached(await channels.append(Loss, { targetId: 'whale' }))
  assert.deepEqual(view.state, ['saw whale', 'lost whale'])
  await assert.rejects(view.reached({ ...(await channels.append(Loss, { targetId: 'x' })), topic: 'other' }), {
    code: 'bad-argument',
  })
  await view.close()
})

test('a fold that throws keeps the state before it, and is reported', async (t) => {
  const { channels, errors } = await channelsInMemory(t)
  const view = await channels.view(Sighting, {
    ...counting,
    fold: (state, message) => {
      if (message.value.seen === 2) throw new Error('two is too many')
      return counting.fold(state, message)
    },
  })
  for (const seen of [1, 2, 3]) await view.reached(await channels.append(Sighting, { targetId: 'a', seen }))
  assert.deepEqual(view.state, { a: 4 })
  assert.equal((errors[0] as Error).message, 'two is too many')
  await view.close()
})

test('waiting on a view ends with its time, its signal, and its closing', async (t) => {
  const { channels } = await channelsInMemory(t)
  const receipt = await channels.append(Sighting, { targetId: 'a', seen: 1 })
  const view = await channels.view(Sighting, counting)
  const [position] = receipt.positions
  const future = { ...receipt, positions: [{ ...position!, sequence: position!.sequence + 100 }] }
  await assert.rejects(view.reached(future, { timeoutMs: 20 }), { code: 'timeout' })
  await assert.rejects(view.reached(future, { signal: AbortSignal.abort(new Error('enough')) }), { message: 'enough' })
  const waiting = view.reached(future)
  await view.close()
  await assert.rejects(waiting, { code: 'closed' })
  await view.close()
})

interface Numbers {
  readonly all: readonly number[]
}
const Big = event('swarm.bigs', {
  schema: Type.Object({ n: Type.Integer(), pad: Type.String() }),
  largePayloads: 'chunk',
})
const listing: ViewOptions<Numbers, { n: number; pad: string }> = {
  name: 'list',
  initial: () => ({ all: [] }),
  fold: ({ all }, { value }) => ({ all: [...all, value.n] }),
}

test('a view whose snapshot lies behind the end of its topic is folded from the beginning, and says so', async (t) => {
  let life = await channelsInMemory(t)
  for (const [numbers, expected] of [
    [
      [1, 2, 3, 4, 5],
      [1, 2, 3, 4, 5],
    ],
    [
      [11, 12, 13],
      [11, 12, 13],
    ],
    [
      [14, 15, 16],
      [11, 12, 13, 14, 15, 16],
    ],
  ] as const) {
    for (const n of numbers) await life.channels.append(Big, { n, pad: '' })
    const view = await life.channels.view(Big, listing)
    await view.ready({ timeoutMs: 10_000 })
    assert.deepEqual(view.state.all, expected)
    await view.close()
    assert.deepEqual(
      life.errors.map((error) => (error as { code: string }).code),
      numbers[0] === 11 ? ['position-gone'] : [],
    )
    if (numbers[0] === 1) await life.bus.admin.deleteTopic('swarm.bigs')
    life = await life.reopen()
  }
})

test('a large event that is half read when a view is closed is folded by the next one, and nothing is folded twice', async (t) => {
  const before = await channelsInMemory(t)
  const huge = 'x'.repeat(3_500_000)
  for (const [n, pad] of [
    [1, ''],
    [2, huge],
    [3, ''],
  ] as const)
    await before.channels.append(Big, { n, pad })
  const begun = Promise.withResolvers<void>()
  const first = await before.channels.view(Big, {
    ...listing,
    fold: (state, message) => {
      begun.resolve()
      return listing.fold(state, message)
    },
  })
  await begun.promise
  await first.close()
  const { all } = first.state
  const after = await before.reopen()
  const second = await after.channels.view(Big, listing)
  await second.ready({ timeoutMs: 20_000 })
  assert.deepEqual(second.state.all, [1, 2, 3])
  assert.ok(all.length < 3, 'it was closed before the large one was whole')
  await second.close()
})
