import type { Bus, Delivery, Position } from '../bus/index.ts'

export interface ReadToEndOptions {
  /** Where to begin in each partition. A partition that is not named is left out. */
  readonly from: readonly Position[]
  readonly signal?: AbortSignal | undefined
}

/** How long to wait for more before asking whether there is more. */
const POLL_MS = 250

/** What a topic holds up to its end as it is when the reading begins, batch by batch. */
export async function* readToEnd(
  bus: Bus,
  topic: string,
  { from, signal }: ReadToEndOptions,
): AsyncGenerator<readonly Delivery[]> {
  const reader = bus.reader(topic, { mode: 'broadcast', from })
  try {
    const ends = new Map((await reader.end()).map(({ partition, sequence }) => [partition, sequence]))
    const open = new Map<number, number>()
    for (const { partition, sequence } of from) {
      const end = ends.get(partition) ?? 0
      if (sequence < end) open.set(partition, end)
    }
    while (open.size > 0) {
      const batch = await reader.read({ waitMs: POLL_MS, ...(signal && { signal }) })
      if (batch === null) {
        // The last messages may be none that is given: expired, compacted away, or marks of transactions.
        if ((await reader.lag()).every(({ messages }) => messages === 0)) return
        continue
      }
      const end = open.get(batch.partition)
      if (end === undefined) continue
      if (batch.last.sequence >= end - 1) open.delete(batch.partition)
      yield batch.deliveries.filter(({ position }) => position.sequence < end)
    }
  } finally {
    await reader.close()
  }
}
