import type { Clock } from '../core/index.ts'

export interface RunningNode {
  /** `http://host:port`; the native protocol is at the same place. */
  readonly url: string
  /** Takes nothing new, finishes what was accepted, syncs, closes; what takes longer than the grace is cut off. Idempotent. */
  drain(): Promise<void>
  /** Promptly. Idempotent. */
  close(): Promise<void>
}

export interface NodeParts {
  readonly url: string
  readonly clock: Clock
  readonly graceMs: number
  /** Each drained before the next: those that take work in first, the log last. */
  readonly drainInOrder: ReadonlyArray<{ drain(): Promise<void> }>
  /** Closes all of them. */
  readonly cutOff: AsyncDisposableStack
  readonly onDrain: () => void
}

/** The two ways a started node ends. */
export function runningNode({ url, clock, graceMs, drainInOrder, cutOff, onDrain }: NodeParts): RunningNode {
  let draining: Promise<void> | undefined
  const close = () => cutOff.disposeAsync()

  async function drain(): Promise<void> {
    onDrain()
    const done = new AbortController()
    const grace = clock.sleep(graceMs, { signal: done.signal }).catch(() => {})
    try {
      await Promise.race([drainAll(), grace])
    } finally {
      done.abort()
      await close()
    }
  }

  async function drainAll(): Promise<void> {
    for (const part of drainInOrder) await part.drain()
  }

  return {
    url,
    drain() {
      draining ??= drain()
      return draining
    },
    close,
  }
}
