import { Ajv2020 } from 'ajv/dist/2020.js'
import { type PositionReport, PositionSchema, positionReport, ReportCheck } from '../channel/position-report.ts'
import type { DriverBench, RunRequest } from './driver-bench.ts'
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

const bars = { messages: 100_000, otherMessages: 5_000, ratioMin: 20 }

/** Publishing and handling in a group, end to end. */
export const moleculerKafkaBench: DriverBench = {
  service: 'kafka',
  ...bars,
  ours: ({ url }, run) => onKafka(url, { name: run.name }, ({ channels }) => processAll(channels, run)),
  other: ({ url }, run) =>
    onKafka(url, { name: run.name }, async () => {
      const kafka = { brokers: [new URL(url).host] }
      const adapter = { type: 'Kafka', options: { kafka } }
      return {
        ms: await moleculerAll(adapter, { ...run, channel: { kafka: { fromBeginning: true } } }),
        durability: 'written',
      }
    }),
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
  async other({ url }, run) {
    const adapter = { type: 'NATS', options: { nats: { url } } }
    return { ms: await moleculerAll(adapter, { ...run, channel: {} }), durability: 'written' }
  },
}

async function moleculerAll(
  adapter: unknown,
  { name, messages, channel }: RunRequest & { readonly channel: object },
): Promise<number> {
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
  const group = { group: 'map', maxInFlight: WINDOW, handler, ...channel }
  broker.createService({ name: 'map', channels: { [name]: group } })
  await broker.start()
  const startMs = performance.now()
  const headers = { skeinschema: '0'.repeat(16) }
  const underWay: Promise<void>[] = []
  for (let sequence = 0; sequence < messages; sequence += 1) {
    const report = positionReport(sequence)
    if (!validate(report)) throw new Error('a bad report')
    underWay.push(broker.sendToChannel(name, report, { key: `drone-${sequence % 16}`, headers }))
    if (underWay.length >= WINDOW) await Promise.all(underWay.splice(0, WINDOW / 2))
  }
  await Promise.all(underWay)
  await handled
  const ms = performance.now() - startMs
  check.finish(messages)
  await broker.stop()
  return ms
}
