import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from './seeded-random.ts'
import { SimulatedEvents } from './simulated-events.ts'
import { CALM_VOLUME, SimulatedVolume } from './simulated-volume.ts'

function world(seed = 1) {
  const events = new SimulatedEvents()
  const volume = new SimulatedVolume({ events, random: seededRandom(seed) })
  const pass = () => {
    const untilMs = events.nowMs + 10_000
    while (events.step(untilMs)) {}
  }
  const store = (name: string, text: string) => {
    volume.write(name, 0, Buffer.from(text))
    volume.sync(name, () => volume.syncDirectory(() => {}))
    pass()
  }
  const read = (name: string) => {
    const bytes = volume.read(name)
    return bytes && Buffer.from(bytes).toString()
  }
  return { volume, pass, store, read }
}

const SEEDS = Array.from({ length: 40 }, (_, seed) => seed)

test('What a SimulatedVolume has synced survives every crash', () => {
  for (const seed of SEEDS) {
    const { volume, store, read } = world(seed)
    store('log', 'kept')
    volume.write('log', 4, Buffer.from('-lost?'))
    volume.crash()
    assert.equal(read('log')?.slice(0, 4), 'kept')
  }
})

test('A crash of a SimulatedVolume keeps, loses or tears what was not synced', () => {
  const left = new Set<string>()
  for (const seed of SEEDS) {
    const { volume, store, read } = world(seed)
    store('log', '')
    volume.write('log', 0, Buffer.from('abcdefgh'))
    volume.crash()
    const text = read('log') ?? ''
    left.add(text === '' ? 'lost' : text === 'abcdefgh' ? 'kept' : 'torn')
  }
  assert.deepEqual([...left].sort(), ['kept', 'lost', 'torn'])
})

test('A file without a synced directory may be gone after a crash of a SimulatedVolume', () => {
  const found = SEEDS.map((seed) => {
    const { volume, pass, read } = world(seed)
    volume.write('new', 0, Buffer.from('x'))
    volume.sync('new', () => {})
    pass()
    volume.crash()
    return read('new') !== undefined
  })
  assert.ok(found.includes(true) && found.includes(false))
})

test('SimulatedVolume.sync() covers only what was written before it began, and never ends over a crash', () => {
  const { volume, pass } = world()
  let ended = 0
  volume.write('log', 0, Buffer.from('ab'))
  volume.sync('log', () => {
    ended += 1
  })
  volume.write('log', 2, Buffer.from('cd'))
  volume.syncDirectory(() => {})
  pass()
  assert.equal(Buffer.from(volume.durable('log')!).toString(), 'ab')
  volume.sync('log', () => {
    ended += 1
  })
  volume.crash()
  pass()
  assert.equal(ended, 1)
})

test('A SimulatedVolume refuses what has no room, reports failing syncs, and spoils reads at most twice in a row', () => {
  const { volume, pass, store, read } = world()
  store('log', 'abc')
  volume.conditions = { ...CALM_VOLUME, capacityBytes: 4 }
  assert.throws(() => volume.write('log', 3, Buffer.from('de')), { code: 'disk-full' })
  volume.conditions = { ...CALM_VOLUME, syncErrorPercent: 100 }
  let failed: string | undefined
  volume.sync('log', (error) => {
    failed = error?.code
  })
  pass()
  assert.equal(failed, 'io-failed')
  volume.conditions = { ...CALM_VOLUME, readCorruptionPercent: 100 }
  assert.deepEqual([read('log') === 'abc', read('log') === 'abc', read('log') === 'abc'], [false, false, true])
})
