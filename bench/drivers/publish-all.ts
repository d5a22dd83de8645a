import type { Channels, PublishReceipt, TelemetryChannel } from '../../src/channel/index.ts'
import { type PositionReport, positionReport } from '../channel/position-report.ts'
import { weakest } from '../weakest.ts'
import type { DriverRun } from './driver-bench.ts'

/** Published and not yet acknowledged, here and with the raw clients. */
export const WINDOW = 4_096

/** Publishes reports in a window through our channels, until the last receipt. */
export async function publishAll(
  channels: Channels,
  channel: TelemetryChannel<PositionReport>,
  messages: number,
): Promise<DriverRun> {
  const startMs = performance.now()
  const levels = new Set<string>()
  const underWay: Array<{ readonly receipt: Promise<PublishReceipt>; readonly first: number }> = []
  const settleFirst = async () => {
    levels.add((await underWay.shift()!.receipt).durability)
  }
  for (let sequence = 0; sequence < messages; sequence += 1) {
    const fields = { agentId: `drone-${sequence % 16}` }
    const receipt = channels.publish(channel, positionReport(sequence), { fields })
    // All messages of a batch share one promise.
    if (receipt !== underWay.at(-1)?.receipt) underWay.push({ receipt, first: sequence })
    if (sequence - underWay[0]!.first >= WINDOW) await settleFirst()
  }
  while (underWay.length > 0) await settleFirst()
  return { ms: performance.now() - startMs, durability: weakest([...levels]) }
}
