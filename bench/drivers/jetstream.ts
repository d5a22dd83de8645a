import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect, headers } from '@nats-io/transport-node'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { telemetry } from '../../src/channel/index.ts'
import { type PositionReport, PositionSchema, positionReport } from '../channel/position-report.ts'
import type { DriverBench } from './driver-bench.ts'
import { natsChannels } from './nats-bus.ts'
import { publishAll, WINDOW } from './publish-all.ts'

/** JetStream: until everything is acknowledged; what is stored is counted afterwards. */
export const jetstreamBench: DriverBench = {
  service: 'nats',
  messages: 50_000,
  ratioMin: 2,
  async ours({ url }, { name, messages }) {
    const { bus, channels } = await natsChannels(url)
    const Position = telemetry(`${name}.{agentId}`, { schema: PositionSchema, key: 'agentId' })
    await channels.open([Position])
    const run = await publishAll(channels, Position, messages)
    const { partitions } = await bus.admin.describeTopic(name)
    checkStored(partitions[0]!.end.sequence, messages)
    await channels.close()
    await bus.close()
    return run
  },
  async other({ url }, { name, messages }) {
    const connection = await connect({ servers: url })
    const manager = await jetstreamManager(connection)
    const client = jetstream(connection)
    const validate = new Ajv2020().compile<PositionReport>(PositionSchema)
    await manager.streams.add({ name: name.replaceAll('.', '-'), subjects: [`${name}.>`] })
    const startMs = performance.now()
    const underWay: Promise<unknown>[] = []
    for (let sequence = 0; sequence < messages; sequence += 1) {
      const report = positionReport(sequence)
      if (!validate(report)) throw new Error('a bad report')
      const agentId = `drone-${sequence % 16}`
      const envelope = headers()
      envelope.set('skeinschema', '0'.repeat(16))
      envelope.set('skeinkey', agentId)
      envelope.set('skeintime', String(Date.now()))
      envelope.set('Nats-Msg-Id', `bench-${name}-${sequence}`)
      underWay.push(client.publish(`${name}.${agentId}`, JSON.stringify(report), { headers: envelope }))
      if (underWay.length >= WINDOW) await Promise.all(underWay.splice(0, WINDOW / 2))
    }
    await Promise.all(underWay)
    const ms = performance.now() - startMs
    const { state } = await manager.streams.info(name.replaceAll('.', '-'))
    checkStored(state.last_seq, messages)
    await connection.close()
    return { ms, durability: 'written' }
  },
}

function checkStored(stored: number, messages: number): void {
  if (stored !== messages) throw new Error(`${stored} of ${messages} messages are stored`)
}
