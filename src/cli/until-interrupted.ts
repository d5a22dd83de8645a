import { type Clock, SkeinError } from '../core/index.ts'

/** A Ctrl-C also ends whoever writes to this process: the end of input may be heard of this much before the signal. */
const SIGNAL_LATE_MS = 100

/**
 * Chunks of a source until it ends. Throws the reason of the signal when that is aborted, also while it waits, and also
 * when the end came with the abort: what was cut off must not pass for finished.
 */
export async function* untilInterrupted<Chunk>(
  source: AsyncIterable<Chunk>,
  { signal, clock }: { readonly signal: AbortSignal; readonly clock: Clock },
): AsyncGenerator<Chunk> {
  signal.throwIfAborted()
  const iterator = source[Symbol.asyncIterator]()
  const aborted = Promise.withResolvers<never>()
  // It is awaited only beside a read: between two reads nobody hears of it.
  aborted.promise.catch(() => {})
  const abort = () => aborted.reject(signal.reason ?? new SkeinError('aborted', 'Stopped while reading'))
  signal.addEventListener('abort', abort)
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), aborted.promise])
      if (next.done) break
      yield next.value
      signal.throwIfAborted()
    }
    await clock.sleep(SIGNAL_LATE_MS, { signal })
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
