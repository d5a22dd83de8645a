import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from './seeded-random.ts'
import { SimulatedEvents } from './simulated-events.ts'
import { CALM_NETWORK, type NetworkFault, SimulatedNetwork } from './simulated-network.ts'

function world(seed = 1) {
  const events = new SimulatedEvents()
  const arrived: number[] = []
  const faults = new Map<NetworkFault, number>()
  const network = new SimulatedNetwork<string, number>({
    events,
    random: seededRandom(seed),
    deliver: (message) => arrived.push(message),
    onFault: (fault) => faults.set(fault, (faults.get(fault) ?? 0) + 1),
  })
  const send = (count: number) => {
    for (let message = 0; message < count; message += 1) network.send(message, { from: 'a', to: 'b' })
  }
  const pass = (untilMs: number) => {
    while (events.step(untilMs)) {}
  }
  return { network, arrived, faults, send, pass }
}

const NUMBERS = Array.from({ length: 200 }, (_, index) => index)

test('A calm SimulatedNetwork delivers everything, in order', () => {
  const { arrived, send, pass } = world()
  send(200)
  pass(1_000)
  assert.deepEqual(arrived, NUMBERS)
})

test('A SimulatedNetwork loses, doubles and reorders as its conditions say', () => {
  const { network, arrived, faults, send, pass } = world()
  network.conditions = { ...CALM_NETWORK, lossPercent: 20, duplicationPercent: 30, reorderingPercent: 50 }
  send(200)
  pass(10_000)
  const lost = NUMBERS.filter((message) => !arrived.includes(message)).length
  assert.equal(lost, faults.get('loss'))
  assert.ok(lost > 20 && lost < 70, `${lost} of 200 lost`)
  assert.equal(arrived.length, 200 - lost + faults.get('duplication')!)
  assert.notDeepEqual(
    arrived,
    arrived.toSorted((one, other) => one - other),
  )
})

test('A cut path delivers nothing, not even what was on its way, until the last cut is taken back', () => {
  const { network, arrived, send, pass } = world()
  send(3)
  const [first, second] = [network.cut('a', 'b'), network.cut('a', 'b')]
  pass(100)
  first()
  first()
  send(3)
  pass(200)
  assert.deepEqual([arrived, network.isCut('a', 'b'), network.isCut('b', 'a')], [[], true, false])
  second()
  send(3)
  pass(300)
  assert.deepEqual(arrived, [0, 1, 2])
})

test('A clogged path delivers in a burst when it is free again', () => {
  const { network, arrived, send, pass } = world()
  network.clog({ from: 'a', to: 'b', durationMs: 500 })
  send(10)
  pass(499)
  assert.deepEqual(arrived, [])
  pass(520)
  assert.deepEqual(arrived, NUMBERS.slice(0, 10))
})

test('A path with a short queue drops what does not fit', () => {
  const { network, arrived, faults, send, pass } = world()
  network.conditions = { ...CALM_NETWORK, queueMax: 4 }
  send(10)
  pass(100)
  assert.deepEqual(arrived, [0, 1, 2, 3])
  assert.equal(faults.get('queue-full'), 6)
})
