import {
  connect,
  contract,
  type Fabric,
  type FabricAgent,
  type PublishReceipt,
  telemetry,
} from '../../src/fabric/index.ts'
import { weakest } from '../weakest.ts'
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
  const durability = await publishAll(agents, messages)
  await processed
  return { ms: performance.now() - startMs, durability }
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

/** The weakest level that any receipt carried. */
async function publishAll(agents: readonly FabricAgent[], messages: number): Promise<string> {
  const inFlight: Array<Promise<readonly PublishReceipt[]>> = []
  const levels = new Set<string>()
  const settleFirst = async () => {
    for (const { durability } of (await inFlight.shift())!) levels.add(durability)
  }
  for (let sequence = 0; sequence < messages; ) {
    const burst: Array<Promise<PublishReceipt>> = []
    for (let count = 0; count < BURST && sequence < messages; count += 1, sequence += 1) {
      const receipt = agents[sequence % agents.length]!.publish(Position, positionReport(sequence))
      // All values of a batch share one promise.
      if (receipt !== burst.at(-1)) burst.push(receipt)
    }
    inFlight.push(Promise.all(burst))
    if (inFlight.length > BURSTS_IN_FLIGHT) await settleFirst()
  }
  while (inFlight.length > 0) await settleFirst()
  return weakest([...levels])
}
