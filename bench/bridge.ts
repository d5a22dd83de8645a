/**
 * A bridge from JetStream to Kafka against a program that does the same with the raw clients, on the same servers, in turn:
 * `npm run -s bench -- bridge [--json]`. The last line of standard output is the result; exit code 1 when the bar is missed.
 */
import { connectKafkaBus } from '../src/bus/drivers/kafka/index.ts'
import { connectNatsBus } from '../src/bus/drivers/nats/index.ts'
import type { Bus } from '../src/bus/index.ts'
import { systemClock, systemRandom } from '../src/core/system/index.ts'
import { openBridge, readToEnd } from '../src/transfer/index.ts'
import { findService } from '../test/services/find-service.ts'
import { rawBridge } from './bridge/raw-bridge.ts'
import { median } from './channel/median.ts'

const RATIO_MIN = 0.8
const PAIRS = 3
const MESSAGES = 60_000
const WARM_UP_MESSAGES = 10_000
const AGENTS = 16
const SOURCE = 'bench.positions'
const machine = { clock: systemClock, random: systemRandom }

const nats = await (await findService('nats')).start()
const kafka = await (await findService('kafka')).start()
const source = await connectNatsBus({ url: nats.url, ...machine })
const target = await connectKafkaBus({ url: kafka.url, ...machine })
try {
  await fill(source, WARM_UP_MESSAGES)
  await pairOf('warm', WARM_UP_MESSAGES)
  await source.admin.deleteTopic(SOURCE)
  await fill(source, MESSAGES)
  const pairs: Array<readonly [ours: number, raw: number]> = []
  for (let round = 0; round < PAIRS; round += 1) pairs.push(await pairOf(`round${round}`, MESSAGES))
  const ratio = Math.round(median(pairs.map(([ours, raw]) => ours / raw)) * 1_000) / 1_000
  const messagesPerSecond = Math.round(median(pairs.map(([ours]) => ours)))
  const rawMessagesPerSecond = Math.round(median(pairs.map(([, raw]) => raw)))
  if (ratio < RATIO_MIN) {
    console.error(`bench bridge: the ratio is ${ratio}, at least ${RATIO_MIN} is asked for`)
    process.exitCode = 1
  }
  const durability = 'written'
  console.log(
    JSON.stringify({ messagesPerSecond, ratio, rawMessagesPerSecond, durability, from: 'jetstream', to: 'kafka' }),
  )
} finally {
  await Promise.all([source.close(), target.close()])
  await Promise.all([nats.stop(), kafka.stop()])
}

/** Messages a second of a bridge, and of the raw clients. */
async function pairOf(name: string, messages: number): Promise<readonly [number, number]> {
  const perSecond = (ms: number) => (messages / ms) * 1_000
  const rawTopic = `bench.raw.${name}`
  await openTarget(rawTopic)
  const stream = 'SKEIN-bench_positions-0'
  const prefixLength = '_skein.bench_positions.0.'.length
  const names = { natsUrl: nats.url, kafkaUrl: kafka.url, topic: rawTopic, stream, prefixLength }
  const rawMs = await rawBridge({ ...names, messages, name: `raw-${name}` })
  await checkStored(rawTopic, messages)
  const ourTopic = `bench.ours.${name}`
  await openTarget(ourTopic)
  const oursMs = await ours(ourTopic, name)
  await checkStored(ourTopic, messages)
  return [perSecond(oursMs), perSecond(rawMs)]
}

function openTarget(topic: string) {
  return target.open({ name: topic, intent: 'telemetry', durability: 'written', deduplicationWindowMs: 0 })
}

/** From the first message's write to the last one's receipt, as the raw clients are measured from their first message. */
async function ours(topic: string, name: string): Promise<number> {
  let [firstMs, lastMs] = [0, 0]
  const timed: Bus = Object.assign(Object.create(target), {
    admin: target.admin,
    open: target.open.bind(target),
    reader: target.reader.bind(target),
    writer(of: string) {
      const writer = target.writer(of)
      if (of !== topic) return writer
      return Object.assign(Object.create(writer), {
        async write(batch: Parameters<typeof writer.write>[0]) {
          firstMs ||= performance.now()
          const receipt = await writer.write(batch)
          lastMs = performance.now()
          return receipt
        },
        drain: writer.drain.bind(writer),
      })
    },
  })
  const ends = { source: { bus: source, topic: SOURCE }, target: { bus: timed, topic } }
  const bridge = await openBridge({ ...ends, ...machine, name, durability: 'written' })
  await bridge.run({ untilEnd: true })
  return lastMs - firstMs
}

async function fill(bus: Bus, messages: number): Promise<void> {
  await bus.open({ name: SOURCE, intent: 'telemetry', durability: 'written' })
  const writer = bus.writer(SOURCE)
  for (let sequence = 0; sequence < messages; sequence += 2_000) {
    await writer.write(
      Array.from({ length: 2_000 }, (_, index) => {
        const agent = `drone-${(sequence + index) % AGENTS}`
        return {
          subject: `${SOURCE}.${agent}`,
          key: agent,
          value: JSON.stringify({ sequence: sequence + index, agent, note: 'x'.repeat(128) }),
          headers: { type: 'position', source: agent, skeinschema: '0'.repeat(16) },
        }
      }),
    )
  }
  await writer.drain()
}

/** Values are distinct: their number and sum tell that each is there once. */
async function checkStored(topic: string, messages: number): Promise<void> {
  const { partitions } = await target.admin.describeTopic(topic)
  let [count, sum] = [0, 0]
  for await (const deliveries of readToEnd(target, topic, { from: partitions.map(({ start }) => start) })) {
    count += deliveries.length
    for (const delivery of deliveries) sum += (JSON.parse(delivery.text()) as { sequence: number }).sequence
  }
  if (count === messages && sum === (messages * (messages - 1)) / 2) return
  throw new Error(`${count} of ${messages} messages with a sum of ${sum} are stored in ${topic}`)
}
