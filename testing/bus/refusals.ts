import type { Bus } from '../../src/bus/index.ts'
import { UnsupportedError } from '../../src/core/index.ts'
import { everything, groupReader, messageOf, openTopic, TOPIC } from './suite-topic.ts'
import type { BusWorld, Feature } from './world.ts'

type Use = (world: BusWorld, bus: Bus) => Promise<unknown>

const readGroup = async (bus: Bus) => groupReader(bus).read({ waitMs: 10_000 })

/** For each feature, how to ask for it: a driver that declares `none` must refuse that. */
const USES: Readonly<Record<Feature, Use>> = {
  order: (_, bus) => bus.writer(TOPIC).write([messageOf('a:1')]),
  groups: (_, bus) => readGroup(bus),
  broadcast: async (_, bus) => bus.reader(TOPIC, { mode: 'broadcast' }).read({ waitMs: 10_000 }),
  deduplication: (world) => openTopic(world, { name: `${TOPIC}.deduplicated`, deduplicationWindowMs: 1_000 }),
  retry: async (_, bus) => groupReader(bus).settle([], 'retry'),
  deadLetters: (_, bus) => bus.admin.replayDeadLetters(TOPIC),
  replayByPosition: async (_, bus) => everything(bus, { from: { partition: 0, sequence: 0 } }).read({ waitMs: 10_000 }),
  replayByTime: async (_, bus) => everything(bus, { from: { timestampMs: 0 } }).read({ waitMs: 10_000 }),
  ttl: (world) => openTopic(world, { name: `${TOPIC}.passing`, ttlMs: 1_000 }),
  wildcards: async (_, bus) => everything(bus, { subjects: [`${TOPIC}.*`] }).read({ waitMs: 10_000 }),
  compaction: (world) => openTopic(world, { name: `${TOPIC}.compacted`, compaction: {} }),
  headers: (_, bus) => bus.writer(TOPIC).write([{ ...messageOf('a:1'), headers: { name: 'value' } }]),
  lag: (_, bus) => bus.admin.lag(TOPIC),
  backPressure: async (_, bus) => {
    await bus.open({ name: 'suite.passing', intent: 'notice' })
    return bus.reader('suite.passing', { mode: 'broadcast', overflow: 'wait' }).read({ waitMs: 10_000 })
  },
  requests: (_, bus) => bus.requests.ask({ subject: TOPIC, value: '' }, { timeoutMs: 10 }),
  transactions: async (_, bus) => {
    if (bus.transaction === undefined) throw new UnsupportedError('transactions', 'the bus offers none')
    await bus.transaction({ id: 'suite' })
  },
}

/** Passes when a feature declared as `none` is refused with `UnsupportedError`. */
export async function assertRefused(world: BusWorld, feature: Feature): Promise<void> {
  const asked = openTopic(world).then(() => USES[feature](world, world.bus))
  const outcome = await asked.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (outcome instanceof UnsupportedError) return
  throw new Error(
    `${feature} is declared as none, and yet asking for it ${outcome === undefined ? 'went well' : `gave ${outcome}`}`,
  )
}
