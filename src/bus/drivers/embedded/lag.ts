import type { Clock } from '../../../core/index.ts'
import type { Lag } from '../../index.ts'
import type { Partition } from './partition.ts'

/** How far behind an offset is: in messages, and in seconds since the oldest of them was appended. */
export async function lagOf(
  partition: Partition,
  at: { readonly committed: number; readonly group: string | undefined; readonly clock: Clock },
): Promise<Lag> {
  const { log, settings, index } = partition
  const from = Math.max(at.committed, log.startOffset)
  const messages = Math.max(0, log.endOffset - from)
  const lag = { topic: settings.name, group: at.group, partition: index, messages }
  if (messages === 0) return { ...lag, seconds: 0 }
  const [oldest] = await log.read(from, 1)
  if (oldest === undefined) return { ...lag, messages: 0, seconds: 0 }
  return { ...lag, seconds: Math.max(0, at.clock.nowMs() - oldest.appendedAtMs) / 1000 }
}
