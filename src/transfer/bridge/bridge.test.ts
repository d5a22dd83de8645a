import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { until } from '../../../test/until.ts'
import { openEmbeddedBus } from '../../bus/drivers/embedded/index.ts'
import { type Bus, type Delivery, deadLetterTopic, type Message, type TopicSpec, WriteError } from '../../bus/index.ts'
import { memoryDisk, SkeinError } from '../../core/index.ts'
import { systemClock, systemRandom } from '../../core/system/index.ts'
import { readToEnd } from '../read-to-end.ts'
import type { Bridge } from './bridge.ts'
import type { BridgeOptions } from './bridge-options.ts'
import { openBridge } from './open-bridge.ts'

const machine = { clock: systemClock, random: systemRandom }
const POSITIONS: TopicSpec = { name: 'swarm.positions', intent: 'telemetry', durability: 'none', partitions: 3 }

async function openMemory(t: TestContext): Promise<Bus> {
  const bus = await openEmbeddedBus({ disk: memoryDisk(), directory: 'data', ...machine })
  t.after(() => bus.close())
  return bus
}

async function twoBuses(t: TestContext, spec: TopicSpec = POSITIONS) {
  const [here, there] = [await openMemory(t), await openMemory(t)]
  await here.open(spec)
  return { here, there }
}

function reports(count: number, first = 0): Message[] {
  return Array.from({ length: count }, (_, index) => {
    const key = `drone-${(first + index) % 7}`
    const number = first + index
    return {
      subject: `swarm.positions.${key}`,
      key,
      value: `${key} ${number}`,
      id: `id-${number}`,
      headers: { type: 'position', source: key },
      timestampMs: 1_700_000_000_000 + number,
    }
  })
}

async function all(bus: Bus, topic: string): Promise<Delivery[]> {
  const { partitions } = await bus.admin.describeTopic(topic)
  const found: Delivery[] = []
  for await (const deliveries of readToEnd(bus, topic, { from: partitions.map(({ start }) => start) })) {
    found.push(...deliveries)
  }
  return found
}

/** Everything that is in the source now, moved by a bridge that then ends. */
async function moveAll(here: Bus, there: Bus, more: Partial<BridgeOptions> = {}) {
  const topic = POSITIONS.name
  const bridge = await openBridge({
    ...{ source: { bus: here, topic }, target: { bus: there, topic }, durability: 'none', create: true, ...machine },
    ...more,
  })
  await bridge.run({ untilEnd: true })
  return bridge.status()
}

function checkMoved(deliveries: readonly Delivery[], messages: readonly Message[]): void {
  assert.deepEqual(deliveries.map((one) => one.text()).sort(), messages.map(({ value }) => value as string).sort())
  const last = new Map<string, number>()
  for (const one of deliveries) {
    const number = Number(one.text().split(' ')[1])
    assert.ok(number > (last.get(one.key!) ?? -1), `${one.key} ${number} after ${last.get(one.key!)}`)
    last.set(one.key!, number)
  }
}

test('a bridge moves everything in order per key, and keeps subject, key, id, headers and time', async (t) => {
  const { here, there } = await twoBuses(t)
  const messages = reports(1_000)
  await here.writer(POSITIONS.name).write(messages)
  const status = await moveAll(here, there)
  const moved = await all(there, POSITIONS.name)
  checkMoved(moved, messages)
  assert.equal(status.moved, 1_000)
  const one = moved.find(({ id }) => id === 'id-8')!
  assert.deepEqual(
    [one.subject, one.key, one.timestampMs, one.headers.type, one.headers.source],
    ['swarm.positions.drone-1', 'drone-1', 1_700_000_000_008, 'position', 'drone-1'],
  )
})

test('a bridge goes on where the one before it ended, and another name moves everything again', async (t) => {
  const { here, there } = await twoBuses(t)
  const writer = here.writer(POSITIONS.name)
  await writer.write(reports(100))
  await moveAll(here, there)
  await writer.write(reports(50, 100))
  const second = await moveAll(here, there)
  assert.deepEqual([second.moved, second.repeats], [50, 0])
  checkMoved(await all(there, POSITIONS.name), reports(150))
})

test('what was stored and not acknowledged when a bridge died is not stored again, ids or none', async (t) => {
  const { here, there } = await twoBuses(t)
  const messages = reports(500).map(({ id: _, ...message }) => message)
  await here.writer(POSITIONS.name).write(messages)
  // No deduplication in the target: only the search of the target can tell.
  await there.open({ ...POSITIONS, deduplicationWindowMs: 0 })
  await runUntil(deaf(here), there, async () => (await all(there, POSITIONS.name)).length === 500)
  const status = await moveAll(here, there)
  assert.deepEqual([status.moved, status.repeats], [0, 500])
  checkMoved(await all(there, POSITIONS.name), messages)
})

test('what one bridge stored and the next one had only begun to find is found by the third', async (t) => {
  const { here, there } = await twoBuses(t)
  const messages = reports(500).map(({ id: _, ...message }) => message)
  await here.writer(POSITIONS.name).write(messages)
  await there.open({ ...POSITIONS, deduplicationWindowMs: 0 })
  await runUntil(deaf(here), there, async () => (await all(there, POSITIONS.name)).length === 500)
  await runUntil(shortSpoken(here, 3), there, async (bridge) => (await bridge.status()).repeats === 90)
  const status = await moveAll(here, there)
  assert.deepEqual([status.moved, status.repeats], [0, 410])
  checkMoved(await all(there, POSITIONS.name), messages)
})

test('what a bridge could not store before it was ended is left to the next one', async (t) => {
  const { here, there } = await twoBuses(t)
  const messages = reports(100)
  await here.writer(POSITIONS.name).write(messages)
  await there.open(POSITIONS)
  let tries = 0
  const away = changed(there, {
    writer: (topic, options) =>
      changed(there.writer(topic, options), {
        async write() {
          tries += 1
          throw new SkeinError('connection-lost', 'Lost the connection', { retryable: true })
        },
      }),
  })
  // Gives both brokers their identities, which could not be written later.
  await moveAll(there, here, { name: 'other' })
  await runUntil(here, away, async () => tries > 2)
  assert.equal((await moveAll(here, there)).moved, 100)
  checkMoved(await all(there, POSITIONS.name), messages)
})

/** Runs a bridge until something holds, and then ends it. */
async function runUntil(source: Bus, target: Bus, holds: (bridge: Bridge) => Promise<boolean>): Promise<void> {
  const topic = POSITIONS.name
  const ends = { source: { bus: source, topic }, target: { bus: target, topic } }
  const bridge = await openBridge({ ...ends, durability: 'none', ...machine })
  const stop = new AbortController()
  const running = bridge.run({ signal: stop.signal })
  await until(() => holds(bridge))
  stop.abort()
  await running
}

/** A source whose readers give a few small batches, and then nothing more. */
function shortSpoken(bus: Bus, batches: number): Bus {
  return changed(bus, {
    reader: (topic, options) => {
      const reader = bus.reader(topic, options)
      let left = batches
      return changed(reader, {
        async read(limits) {
          left -= 1
          if (left >= 0) return reader.read({ ...limits, maxMessages: 30 })
          await systemClock.sleep(20)
          return null
        },
      })
    },
  })
}

/** A source that hears no acknowledgment: what a kill at the worst moment leaves behind. */
function deaf(bus: Bus): Bus {
  return changed(bus, {
    reader: (...args) =>
      changed(bus.reader(...args), {
        async acknowledge() {
          throw new SkeinError('connection-lost', 'Lost the connection', { retryable: true })
        },
      }),
  })
}

/** The object with some of its methods replaced. */
function changed<Target extends object>(target: Target, methods: Partial<Target>): Target {
  return new Proxy(target, {
    get(_, name) {
      const found: unknown = Reflect.get(name in methods ? methods : target, name)
      return typeof found === 'function' ? found.bind(name in methods ? methods : target) : found
    },
  })
}

test('two opposite bridges do not echo, and each moves what was written on its side', async (t) => {
  const { here, there } = await twoBuses(t)
  await there.open(POSITIONS)
  await here.writer(POSITIONS.name).write(reports(20))
  await there.writer(POSITIONS.name).write(reports(20, 20))
  for (let turn = 0; turn < 3; turn += 1) {
    await moveAll(here, there)
    await moveAll(there, here)
  }
  for (const bus of [here, there]) {
    const ids = (await all(bus, POSITIONS.name)).map(({ id }) => id)
    assert.equal(ids.length, 40)
    assert.equal(new Set(ids).size, 40)
  }
})

test('three bridges in a ring bring nothing back to where it has been', async (t) => {
  const { here, there } = await twoBuses(t)
  const third = await openMemory(t)
  await here.writer(POSITIONS.name).write(reports(20))
  await moveAll(here, there)
  await moveAll(there, third)
  const status = await moveAll(third, here)
  assert.deepEqual([status.moved, status.looped], [0, 20])
})

test('a message that the target will never take becomes a dead letter of the source, and the others go on', async (t) => {
  const { here, there } = await twoBuses(t)
  await there.open({ ...POSITIONS, messageBytesMax: 100 })
  const large = { ...reports(1, 37)[0]!, value: 'x'.repeat(101) }
  const messages = [...reports(37), large, ...reports(40, 38)]
  await here.writer(POSITIONS.name).write(messages)
  const problems: SkeinError[] = []
  const status = await moveAll(here, there, { onProblem: (problem) => problems.push(problem) })
  assert.deepEqual([status.moved, status.deadLetters], [77, 1])
  checkMoved(
    await all(there, POSITIONS.name),
    messages.filter((message) => message !== large),
  )
  const letters = await all(here, deadLetterTopic(POSITIONS.name))
  assert.deepEqual(
    letters.map((letter) => letter.text()),
    [large.value],
  )
  assert.deepEqual(
    problems.map(({ code }) => code),
    ['message-too-large'],
  )
})

test('writes of which nobody knows how they ended are looked up, and nothing is lost, doubled or out of order', async (t) => {
  const { here, there } = await twoBuses(t)
  const messages = reports(2_000)
  await here.writer(POSITIONS.name).write(messages)
  await there.open({ ...POSITIONS, deduplicationWindowMs: 0 })
  let writes = 0
  const doubtful = changed(there, {
    writer: (topic, options) => {
      const writer = there.writer(topic, options)
      if (topic !== POSITIONS.name) return writer
      return changed(writer, {
        async write(batch) {
          writes += 1
          if (writes > 6) return writer.write(batch)
          const stored = Math.floor((batch.length * (writes % 3)) / 2)
          await writer.write(batch.slice(0, stored))
          const unknown = batch.map((_, index) => index)
          const cause = new SkeinError('connection-lost', 'Lost the connection', { retryable: true })
          throw new WriteError('Cannot say', { accepted: [], unknown, cause, retryable: true })
        },
      })
    },
  })
  await moveAll(here, doubtful)
  assert.ok(writes >= 3)
  checkMoved(await all(there, POSITIONS.name), messages)
})

test('a source made anew under the same name is moved from its beginning', async (t) => {
  const { here, there } = await twoBuses(t)
  await here.writer(POSITIONS.name).write(reports(60))
  await moveAll(here, there)
  await here.admin.deleteTopic(POSITIONS.name)
  await here.open(POSITIONS)
  await here.writer(POSITIONS.name).write(reports(30, 100))
  const status = await moveAll(here, there)
  assert.equal(status.moved, 30)
  checkMoved(await all(there, POSITIONS.name), [...reports(60), ...reports(30, 100)])
})

test('a topic is renamed on its way, subjects and all; what is left of a time to live goes with it', async (t) => {
  const { here, there } = await twoBuses(t)
  await here.writer(POSITIONS.name).write([{ ...reports(1)[0]!, ttlMs: 3_600_000 }])
  await moveAll(here, there, { target: { bus: there, topic: 'fleet.positions' } })
  const [moved] = await all(there, 'fleet.positions')
  assert.equal(moved!.subject, 'fleet.positions.drone-0')
  const ttlMs = Number(moved!.headers.skeinttl)
  assert.ok(ttlMs > 0 && ttlMs <= 3_600_000)
})

test('what cannot be bridged is refused before anything is moved, each with its reason', async (t) => {
  const { here, there } = await twoBuses(t)
  await here.open({ name: 'swarm.alerts', intent: 'notice' })
  await there.open({ name: 'swarm.alerts', intent: 'notice' })
  const open = (options: Partial<BridgeOptions>) =>
    openBridge({
      source: { bus: here, topic: POSITIONS.name },
      target: { bus: there, topic: POSITIONS.name },
      durability: 'none',
      ...machine,
      ...options,
    })
  await assert.rejects(open({ target: { bus: here, topic: POSITIONS.name } }), {
    code: 'bad-argument',
    message: /to itself/,
  })
  await assert.rejects(open({ source: { bus: here, topic: 'swarm.nothing' } }), { code: 'not-found' })
  await assert.rejects(open({}), { code: 'not-found', message: /target has none/ })
  await assert.rejects(open({ source: { bus: here, topic: 'swarm.alerts' } }), { code: 'unsupported' })
  await assert.rejects(open({ target: { bus: there, topic: 'swarm.alerts' } }), { code: 'unsupported' })
  await assert.rejects(open({ create: true, durability: 'durable' }), { code: 'unsupported', message: /durability/ })
  await assert.rejects(open({ target: { bus: there, topic: 'skein.roster' } }), { code: 'unauthorised' })
  await assert.rejects(open({ name: 'no spaces' }), { code: 'bad-argument' })
  await here.writer(POSITIONS.name).write(reports(1))
  await moveAll(here, there, { name: 'fleet' })
  await here.open({ ...POSITIONS, name: 'swarm.other' })
  await assert.rejects(open({ name: 'fleet', source: { bus: here, topic: 'swarm.other' } }), { code: 'bad-config' })
})
