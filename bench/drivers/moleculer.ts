import { Ajv2020 } from 'ajv/dist/2020.js'
import { type PositionReport, PositionSchema, positionReport, ReportCheck } from '../channel/position-report.ts'
import type { DriverBench, DriverRun, RunRequest } from './driver-bench.ts'
import { loadPeer } from './install-peers.ts'
import { onKafka } from './kafka-bus.ts'
import { natsChannels } from './nats-bus.ts'
import { processAll } from './process-all.ts'
import { WINDOW } from './publish-all.ts'

/** What is used of the library. */
interface Broker {
  createService(schema: unknown): unknown
  start(): Promise<void>
  stop(): Promise<void>
  sendToChannel(name: string, payload: unknown, options: unknown): Promise<void>
}

/** Messages at once: sent and not yet acknowledged, and given to handlers that have not ended. */
interface Windows {
  readonly sent: number
  readonly handled: number
}

/**
 * As the library's own throughput benchmark uses it (its repository, `benchmark/suites/throughput.js`; README, "Throughput
 * test (maxInFlight: 100)"): each send is awaited, up to 100 messages are handled at once. Its default is to handle one.
 */
const AS_PUBLISHED: Windows = { sent: 1, handled: 100 }
/** Measured too, and shown as `theirsInOurWindow`; the bar is not of it. */
const OURS: Windows = { sent: WINDOW, handled: WINDOW }
const IN_OUR_WINDOW = 'theirsInOurWindow'

const bars = {
  messages: 100_000,
  otherMessages: 5_000,
  ratioMin: 20,
  used: { window: WINDOW, theirSendWindow: AS_PUBLISHED.sent, theirMaxInFlight: AS_PUBLISHED.handled },
}

/** Publishing and handling in a group, end to end. */
export const moleculerKafkaBench: DriverBench = {
  service: 'kafka',
  ...bars,
  ours: ({ url }, run) => onKafka(url, { name: run.name }, ({ channels }) => processAll(channels, run)),
  other: ({ url }, run) => moleculerOnKafka(url, { ...run, windows: AS_PUBLISHED }),
  aside: { name: IN_OUR_WINDOW, run: ({ url }, run) => moleculerOnKafka(url, { ...run, windows: OURS }) },
}

export const moleculerJetstreamBench: DriverBench = {
  service: 'nats',
  ...bars,
  async ours({ url }, run) {
    const { bus, channels } = await natsChannels(url)
    const done = await processAll(channels, run)
    await channels.close()
    await bus.close()
    return done
  },
  other: ({ url }, run) => moleculerOnJetstream(url, { ...run, windows: AS_PUBLISHED }),
  aside: { name: IN_OUR_WINDOW, run: ({ url }, run) => moleculerOnJetstream(url, { ...run, windows: OURS }) },
}

type WindowedRun = RunRequest & { readonly windows: Windows }

function moleculerOnKafka(url: string, run: WindowedRun): Promise<DriverRun> {
  const kafka = { brokers: [new URL(url).host] }
  const channel = { kafka: { fromBeginning: true } }
  // The topic is made beforehand, so that its making is not measured.
  return onKafka(url, { name: run.name }, () =>
    moleculerAll({ type: 'Kafka', options: { kafka } }, { ...run, channel }),
  )
}

function moleculerOnJetstream(url: string, run: WindowedRun): Promise<DriverRun> {
  return moleculerAll({ type: 'NATS', options: { nats: { url } } }, { ...run, channel: {} })
}

async function moleculerAll(
  adapter: unknown,
  { name, messages, windows, channel }: WindowedRun & { readonly channel: object },
): Promise<DriverRun> {
  const { ServiceBroker } = (await loadPeer('moleculer')) as { ServiceBroker: new (options: unknown) => Broker }
  const { Middleware } = (await loadPeer('@moleculer/channels')) as { Middleware: (options: unknown) => unknown }
  const broker = new ServiceBroker({ logger: false, middlewares: [Middleware({ adapter })] })
  const validate = new Ajv2020().compile<PositionReport>(PositionSchema)
  const check = new ReportCheck()
  const { promise: handled, resolve, reject } = Promise.withResolvers<void>()
  const handler = async (report: unknown) => {
    if (!validate(report)) return reject(new Error('a bad message'))
    check.add(`drone-${report.sequence % 16}`, report)
    if (check.count === messages) resolve()
  }
  const group = { group: 'map', maxInFlight: windows.handled, handler, ...channel }
  broker.createService({ name: 'map', channels: { [name]: group } })
  await broker.start()
  const startMs = performance.now()
  const headers = { skeinschema: '0'.repeat(16) }
  const underWay: Promise<void>[] = []
  for (let sequence = 0; sequence < messages; sequence += 1) {
    const report = positionReport(sequence)
    if (!validate(report)) throw new Error('a bad report')
    underWay.push(broker.sendToChannel(name, report, { key: `drone-${sequence % 16}`, headers }))
    if (underWay.length >= windows.sent) await Promise.all(underWay.splice(0, Math.ceil(windows.sent / 2)))
  }
  await Promise.all(underWay)
  await handled
  const ms = performance.now() - startMs
  check.finish(messages)
  await broker.stop()
  return { ms, durability: 'written' }
}
