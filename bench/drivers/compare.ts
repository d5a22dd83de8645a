import { findService } from '../../test/services/find-service.ts'
import { median } from '../channel/median.ts'
import type { DriverBench } from './driver-bench.ts'

const PAIRS = 3
const WARM_UP_SHARE = 0.1

export interface Comparison {
  /** Messages per second. */
  readonly ours: number
  readonly other: number
  readonly ratio: number
  readonly durability: string
}

/** Ours and the other in turn on one server: the medians, and the median of the pairs' ratios. */
export async function compare(name: string, bench: DriverBench): Promise<Comparison> {
  const service = await (await findService(bench.service, (text) => console.error(text))).start()
  try {
    const pairs: Array<readonly [ours: number, other: number]> = []
    let durability = ''
    for (let round = 0; round <= PAIRS; round += 1) {
      const share = round === 0 ? WARM_UP_SHARE : 1
      const messages = Math.round(bench.messages * share)
      const otherMessages = Math.round((bench.otherMessages ?? bench.messages) * share)
      const other = await bench.other(service, { name: `bench.${name}.other${round}`, messages: otherMessages })
      const ours = await bench.ours(service, { name: `bench.${name}.ours${round}`, messages })
      durability = ours.durability
      if (round === 0) continue
      pairs.push([(messages / ours.ms) * 1_000, (otherMessages / other.ms) * 1_000])
      console.error(`${name} ${round} of ${PAIRS}: ${pairs.at(-1)!.map(Math.round).join(' against ')} messages/s`)
    }
    return {
      ours: Math.round(median(pairs.map(([ours]) => ours))),
      other: Math.round(median(pairs.map(([, other]) => other))),
      ratio: Math.round(median(pairs.map(([ours, other]) => ours / other)) * 1_000) / 1_000,
      durability,
    }
  } finally {
    await service.stop()
  }
}
