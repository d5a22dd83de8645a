import { type Batch, type Delivery, EndMarks, type Reader } from '../bus/index.ts'
import { SkeinError } from '../core/index.ts'

export interface ReadThroughOptions {
  /** Stop at the end as it is at the start. */
  readonly untilEnd: boolean
  readonly countMax: number
  /** Aborting ends the reading as if nothing more came. */
  readonly signal: AbortSignal
  /** Told of a corrupt range, which is then left out. Without it, reading ends there with `corrupt`. */
  readonly onDamage?: ((error: SkeinError) => void) | undefined
}

/** What a reader gives, batch by batch, up to where the caller wants to stop. */
export async function* readThrough(
  reader: Reader,
  options: ReadThroughOptions,
): AsyncGenerator<{ readonly batch: Batch; readonly deliveries: readonly Delivery[] }> {
  const { untilEnd, countMax } = options
  const marks = untilEnd ? await EndMarks.of(reader) : undefined
  for (let count = 0; count < countMax && !marks?.reached; ) {
    const batch = await nextBatch(reader, countMax - count, marks, options)
    if (batch === 'stopped') return
    if (batch === null) {
      if (await marks?.nothingLeft()) return
      continue
    }
    const deliveries = marks?.within(batch) ?? batch.deliveries
    count += deliveries.length
    if (deliveries.length > 0) yield { batch, deliveries }
  }
}

async function nextBatch(
  reader: Reader,
  maxMessages: number,
  marks: EndMarks | undefined,
  { signal, onDamage }: ReadThroughOptions,
) {
  const limits = {
    signal,
    ...(Number.isFinite(maxMessages) && { maxMessages }),
    ...(marks && { waitMs: EndMarks.pollMs }),
  }
  for (;;) {
    try {
      return await reader.read(limits)
    } catch (error) {
      if (signal.aborted) return 'stopped'
      const isDamage = error instanceof SkeinError && error.code === 'corrupt'
      if (!onDamage || !isDamage) throw error
      // The next read goes on behind it.
      onDamage(error)
    }
  }
}
