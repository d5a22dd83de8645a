import { connectKafkaBus, type KafkaBus } from '../../src/bus/drivers/kafka/index.ts'
import type { Compression } from '../../src/bus/index.ts'
import { Channels, telemetry } from '../../src/channel/index.ts'
import { systemClock, systemRandom } from '../../src/core/system/index.ts'
import { readToEnd } from '../../src/transfer/index.ts'
import { type PositionReport, PositionSchema } from '../channel/position-report.ts'
import type { DriverRun, RunRequest } from './driver-bench.ts'
import { publishAll } from './publish-all.ts'

const machine = { clock: systemClock, random: systemRandom }

/** Our channels on a new topic, with the bus beneath them; everything is closed when `use` ends. */
export async function onKafka<R>(
  url: string,
  topic: { readonly name: string; readonly compression?: Compression },
  use: (open: { readonly bus: KafkaBus; readonly channels: Channels }) => Promise<R>,
): Promise<R> {
  const bus = await connectKafkaBus({ url, ...machine })
  const fail = (error: unknown) => {
    throw error
  }
  const channels = new Channels({ bus, ...machine, source: 'bench', onError: fail })
  try {
    await bus.open({ ...topic, intent: 'telemetry' })
    return await use({ bus, channels })
  } finally {
    await channels.close()
    await bus.close()
  }
}

/** Publishes through our channels; what is stored is read back afterwards. */
export function publishOnKafka(
  url: string,
  { name, messages, compression }: RunRequest & { readonly compression?: Compression },
): Promise<DriverRun> {
  return onKafka(url, { name, ...(compression && { compression }) }, async ({ bus, channels }) => {
    const Position = telemetry(`${name}.{agentId}`, { schema: PositionSchema, key: 'agentId' })
    await channels.open([Position])
    const run = await publishAll(channels, Position, messages)
    await checkStored(bus, name, messages)
    return run
  })
}

/** Values are distinct: their number and sum tell that each is there once. */
export async function checkStored(bus: KafkaBus, topic: string, messages: number): Promise<void> {
  const { partitions } = await bus.admin.describeTopic(topic)
  let [count, sum] = [0, 0]
  for await (const deliveries of readToEnd(bus, topic, { from: partitions.map(({ start }) => start) })) {
    count += deliveries.length
    for (const delivery of deliveries) sum += (JSON.parse(delivery.text()) as PositionReport).sequence
  }
  if (count === messages && sum === (messages * (messages - 1)) / 2) return
  throw new Error(`${count} messages with a sum of ${sum} are stored in ${topic}, of ${messages} that were written`)
}
