import { type Channels, telemetry } from '../../src/channel/index.ts'
import { PositionSchema, ReportCheck } from '../channel/position-report.ts'
import type { DriverRun, RunRequest } from './driver-bench.ts'
import { publishAll } from './publish-all.ts'

/** Publishes, and handles everything in a group, through our channels: until the last message is handled and acknowledged. */
export async function processAll(channels: Channels, { name, messages }: RunRequest): Promise<DriverRun> {
  const Position = telemetry(`${name}.{agentId}`, { schema: PositionSchema, key: 'agentId' })
  await channels.open([Position])
  const check = new ReportCheck()
  const done = Promise.withResolvers<void>()
  const processing = await channels.process(Position, { group: 'map', from: 'earliest' }, (message) => {
    check.add(message.key!, message.value)
    if (check.count === messages) done.resolve()
  })
  const startMs = performance.now()
  const { durability } = await publishAll(channels, Position, messages)
  await Promise.race([done.promise, processing.done])
  await processing.stop()
  const ms = performance.now() - startMs
  check.finish(messages)
  return { ms, durability }
}
