import {
  connect,
  contract,
  type Fabric,
  type FabricAgent,
  type PublishReceipt,
  telemetry,
} from '../../src/fabric/index.ts'
import { PositionSchema, positionReport, ReportCheck } from './position-report.ts'

/** Reports published before looking at the receipt of an earlier burst. */
const BURST = 1_024
const BURSTS_IN_FLIGHT = 16

const Position = telemetry('swarm.telemetry.{region}.{agentId}', {
  schema: PositionSchema,
  key: 'agentId',
  durability: 'durable',
})

export interface SkeinRun {
  readonly ms: number
  readonly durability: string
}

/** A fleet publishes and a group processes, in one process, through the public API. */
export async function skeinLoop(directory: string, agentIds: readonly string[], messages: number): Promise<SkeinRun> {
  await using fabric = await connect(`embedded:${directory}`)
  await fabric.open(contract({ Position }))
  const agents = await Promise.all(agentIds.map((id) => fabric.join({ id, type: 'quadrotor', region: 'north' })))
  const startMs = performance.now()
  const processed = processAll(fabric, messages)
  const receipt = await publishAll(agents, messages)
  await processed
  return { ms: performance.now() - startMs, durability: receipt.durability }
}

async function processAll(fabric: Fabric, messages: number): Promise<void> {
  const check = new ReportCheck()
  const done = Promise.withResolvers<void>()
  const processing = await fabric.process(Position, { group: 'map' }, (message) => {
    check.add(message.key!, message.value)
    if (check.count === messages) done.resolve()
  })
  await Promise.race([done.promise, processing.done])
  check.finish(messages)
}

async function publishAll(agents: readonly FabricAgent[], messages: number): Promise<PublishReceipt> {
  const inFlight: Array<Promise<PublishReceipt>> = []
  for (let sequence = 0; sequence < messages; ) {
    let last: Promise<PublishReceipt> | undefined
    for (let count = 0; count < BURST && sequence < messages; count += 1, sequence += 1) {
      last = agents[sequence % agents.length]!.publish(Position, positionReport(sequence))
    }
    inFlight.push(last!)
    if (inFlight.length > BURSTS_IN_FLIGHT) await inFlight.shift()
  }
  return (await Promise.all(inFlight)).at(-1)!
}
