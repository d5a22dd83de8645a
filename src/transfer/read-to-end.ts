import { type Bus, type Delivery, EndMarks, type Position } from '../bus/index.ts'

export interface ReadToEndOptions {
  /** Where to begin in each partition. A partition that is not named is left out. */
  readonly from: readonly Position[]
  readonly signal?: AbortSignal | undefined
}

/** What a topic holds up to its end as it is when the reading begins, batch by batch. */
export async function* readToEnd(
  bus: Bus,
  topic: string,
  { from, signal }: ReadToEndOptions,
): AsyncGenerator<readonly Delivery[]> {
  const named = new Set(from.map(({ partition }) => partition))
  const reader = bus.reader(topic, { mode: 'broadcast', from })
  try {
    const marks = await EndMarks.of(reader, from)
    while (!marks.reached) {
      const batch = await reader.read({ waitMs: EndMarks.pollMs, ...(signal && { signal }) })
      if (batch === null) await marks.nothingLeft()
      else if (named.has(batch.partition)) yield marks.within(batch)
    }
  } finally {
    await reader.close()
  }
}
