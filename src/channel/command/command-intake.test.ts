import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../../../test/until.ts'
import { openEmbeddedBus } from '../../bus/drivers/embedded/index.ts'
import { memoryDisk } from '../../core/index.ts'
import { systemClock, systemRandom } from '../../core/system/index.ts'
import { type Arrival, CommandIntake } from './command-intake.ts'

const TOPIC = 'swarm.commands'
const GROUP = 'agent.drone-7'

test('what comes again after a rebalance is acknowledged, also where its first arrivals end later', async (t) => {
  const bus = await openEmbeddedBus({ disk: memoryDisk(), clock: systemClock, random: systemRandom, directory: 'data' })
  await bus.open({ name: TOPIC, intent: 'command', partitions: 2, durability: 'none' })
  const arrivals: Arrival[] = []
  const intake = new CommandIntake({
    bus,
    clock: systemClock,
    random: systemRandom,
    topic: TOPIC,
    subjects: [`${TOPIC}.>`],
    group: GROUP,
    ephemeral: false,
    handedTo: undefined,
    inHandMax: () => ({ count: 100, bytes: 1_000_000 }),
    onArrival: (arrival) => arrivals.push(arrival),
    onError: assert.ifError,
  })
  t.after(async () => {
    await intake.close()
    await bus.close()
  })
  const keys = ['a', 'b', 'c', 'd', 'e', 'f']
  const writer = bus.writer(TOPIC)
  await writer.write(keys.flatMap((key) => [1, 2].map((n) => ({ subject: `${TOPIC}.x`, key, value: `${key}${n}` }))))
  await until(() => arrivals.length === 2 * keys.length)

  const other = bus.reader(TOPIC, { mode: 'group', group: GROUP, subjects: [`${TOPIC}.>`], from: 'earliest' })
  const { promise, resolve } = Promise.withResolvers<number>()
  other.onAssignment(({ added }) => {
    if (added.length > 0) resolve(added[0]!)
  })
  // Not read: what is given in vain several times is given alone.
  const partition = await promise
  const first = arrivals.splice(0)
  const isMoved = ({ delivery }: Arrival) => delivery.position.partition === partition
  await other.close()
  await until(() => arrivals.filter(isMoved).length === first.filter(isMoved).length)

  for (const arrival of [...first, ...arrivals]) if (!isMoved(arrival)) arrival.done()
  const [oldest, ...later] = arrivals.filter(isMoved)
  for (const arrival of [...later, ...first.filter(isMoved), oldest!]) arrival.done()
  await until(async () => (await bus.admin.lag(TOPIC, GROUP)).every(({ messages }) => messages === 0))
})
