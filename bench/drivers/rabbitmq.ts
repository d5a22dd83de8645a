import { Ajv2020 } from 'ajv/dist/2020.js'
import { type ConfirmChannel, connect } from 'amqplib'
import { connectRabbitmqBus, type RabbitmqBus } from '../../src/bus/drivers/rabbitmq/index.ts'
import { Channels, telemetry } from '../../src/channel/index.ts'
import { systemClock, systemRandom } from '../../src/core/system/index.ts'
import { type PositionReport, PositionSchema, positionReport } from '../channel/position-report.ts'
import type { DriverBench } from './driver-bench.ts'
import { publishAll, WINDOW } from './publish-all.ts'

const CREDITS = 2_000

/** RabbitMQ's streams: until everything is confirmed; then all of it is read back and counted. */
export const rabbitmqBench: DriverBench = {
  service: 'rabbitmq',
  messages: 20_000,
  pairs: 11,
  ratioMin: 0.9,
  async ours({ url }, { name, messages }) {
    const bus = await connectRabbitmqBus({ url, clock: systemClock, random: systemRandom })
    const fail = (error: unknown) => {
      throw error
    }
    const channels = new Channels({ bus, clock: systemClock, random: systemRandom, source: 'bench', onError: fail })
    const Position = telemetry(`${name}.{agentId}`, { schema: PositionSchema, key: 'agentId' })
    await channels.open([Position])
    const run = await publishAll(channels, Position, messages)
    await readBack(bus, name, messages)
    await channels.close()
    await bus.close()
    return run
  },
  async other({ url }, { name, messages }) {
    const connection = await connect(url, { noDelay: true })
    const channel = await connection.createConfirmChannel()
    await channel.assertExchange(name, 'topic', { durable: true })
    await channel.assertQueue(name, { durable: true, arguments: { 'x-queue-type': 'stream' } })
    await channel.bindQueue(name, name, '0.#')
    const startMs = performance.now()
    await publishAllRaw(channel, name, messages)
    const ms = performance.now() - startMs
    await readBackRaw(channel, name, messages)
    await connection.close()
    return { ms, durability: 'written' }
  },
}

/** In bursts of half a window, with one confirm callback for all; the socket may close the window earlier. */
function publishAllRaw(channel: ConfirmChannel, name: string, messages: number): Promise<void> {
  const validate = new Ajv2020().compile<PositionReport>(PositionSchema)
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let sent = 0
  let confirmed = 0
  let isFull = false
  const onConfirm = (error: unknown) => {
    if (error) return reject(error)
    confirmed += 1
    if (confirmed === messages) resolve()
    else if (sent - confirmed <= WINDOW / 2) pump()
  }
  const pump = () => {
    while (!isFull && sent < messages && sent - confirmed < WINDOW) {
      const report = positionReport(sent)
      if (!validate(report)) return reject(new Error('a bad report'))
      const agentId = `drone-${sent % 16}`
      const headers = {
        skeinschema: '0'.repeat(16),
        'skein-key': agentId,
        'skein-from': `bench ${sent} ${Date.now()}`,
      }
      const content = Buffer.from(JSON.stringify(report))
      sent += 1
      const options = { mandatory: true, persistent: true, headers }
      isFull = !channel.publish(name, `0.${name}.${agentId}`, content, options, onConfirm)
    }
  }
  channel.on('drain', () => {
    isFull = false
    pump()
  })
  pump()
  return promise
}

async function readBack(bus: RabbitmqBus, name: string, messages: number): Promise<void> {
  const reader = bus.reader(name, { mode: 'broadcast', from: 'earliest' })
  let count = 0
  let sum = 0
  while (count < messages) {
    const batch = await reader.read({ waitMs: 30_000 })
    for (const delivery of batch?.deliveries ?? []) sum += (JSON.parse(delivery.text()) as PositionReport).sequence
    if (batch === null) break
    count += batch.deliveries.length
  }
  checkStored({ count, sum }, messages)
}

async function readBackRaw(channel: ConfirmChannel, name: string, messages: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let count = 0
  let sum = 0
  await channel.prefetch(CREDITS)
  await channel.consume(
    name,
    (message) => {
      sum += (JSON.parse(message!.content.toString()) as PositionReport).sequence
      count += 1
      if (count % (CREDITS / 2) === 0) channel.ack(message!, true)
      if (count === messages) resolve()
    },
    { arguments: { 'x-stream-offset': 'first' } },
  )
  await promise
  checkStored({ count, sum }, messages)
}

/** Values are distinct: their sum tells that each is there once. */
function checkStored(read: { readonly count: number; readonly sum: number }, messages: number): void {
  if (read.count === messages && read.sum === (messages * (messages - 1)) / 2) return
  throw new Error(`${read.count} messages with a sum of ${read.sum} were read back of ${messages} that were written`)
}
