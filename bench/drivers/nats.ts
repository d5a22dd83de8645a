import { setImmediate as turn } from 'node:timers/promises'
import { connect, headers } from '@nats-io/transport-node'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { notice } from '../../src/channel/index.ts'
import { type PositionReport, PositionSchema, positionReport } from '../channel/position-report.ts'
import type { DriverBench } from './driver-bench.ts'
import { natsChannels } from './nats-bus.ts'

/** Sent and not yet received, in both. */
const WINDOW = 8_192
const BURST = 1_024

/** Core NATS: notices, published and heard in one process. */
export const natsBench: DriverBench = {
  service: 'nats',
  messages: 100_000,
  ratioMin: 0.8,
  async ours({ url }, { name, messages }) {
    const { bus, channels } = await natsChannels(url)
    const Alert = notice(`${name}.alerts.{agentId}`, { schema: PositionSchema })
    const tally = new Tally()
    await channels.listen(Alert, ({ value }) => tally.add(value))
    const startMs = performance.now()
    await sendAll(messages, tally, (sequence) => {
      channels.notify(Alert, positionReport(sequence), { fields: { agentId: `drone-${sequence % 16}` } })
    })
    const ms = performance.now() - startMs
    await channels.close()
    await bus.close()
    return { ms, durability: 'none' }
  },
  async other({ url }, { name, messages }) {
    const connection = await connect({ servers: url })
    const validate = new Ajv2020().compile<PositionReport>(PositionSchema)
    const tally = new Tally()
    connection.subscribe(`${name}.alerts.*`, {
      callback: (_, message) => {
        const value: unknown = JSON.parse(message.string())
        if (message.headers?.get('ce-specversion') !== '1.0' || !validate(value)) throw new Error('a bad message')
        tally.add(value)
      },
    })
    await connection.flush()
    const startMs = performance.now()
    await sendAll(messages, tally, (sequence) => {
      const report = positionReport(sequence)
      if (!validate(report)) throw new Error('a bad report')
      const envelope = headers()
      for (const [header, value] of ENVELOPE) envelope.set(header, value)
      envelope.set('skeintime', String(Date.now()))
      connection.publish(`${name}.alerts.drone-${sequence % 16}`, JSON.stringify(report), { headers: envelope })
    })
    const ms = performance.now() - startMs
    await connection.close()
    return { ms, durability: 'none' }
  },
}

const ENVELOPE: ReadonlyArray<readonly [string, string]> = [
  ['ce-specversion', '1.0'],
  ['ce-type', 'bench.alerts'],
  ['ce-source', 'bench'],
  ['ce-datacontenttype', 'application/json'],
  ['ce-dataschema', `urn:skein:schema:${'0'.repeat(16)}`],
]

/** Values are distinct: their sum tells that each came once. */
class Tally {
  count = 0
  sum = 0

  add({ sequence }: PositionReport): void {
    this.count += 1
    this.sum += sequence
  }
}

async function sendAll(messages: number, tally: Tally, send: (sequence: number) => void): Promise<void> {
  const deadline = performance.now() + 60_000
  for (let sequence = 0; tally.count < messages; ) {
    const until = Math.min(messages, sequence + BURST, tally.count + WINDOW)
    for (; sequence < until; sequence += 1) send(sequence)
    await turn()
    if (performance.now() > deadline) throw new Error(`only ${tally.count} of ${messages} messages came`)
  }
  if (tally.sum !== (messages * (messages - 1)) / 2) throw new Error('other messages came than were sent')
}
