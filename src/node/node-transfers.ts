import { type Clock, type Disk, type Random, SkeinError } from '../core/index.ts'
import type { NodeLog } from './node-log.ts'

const AGAIN_AFTER_MS = 10_000

/** What moves topics beside a node. */
export interface NodeTransfers {
  /** What is on its way is finished. Idempotent. */
  drain(): Promise<void>
  close(): Promise<void>
}

export const noTransfers: NodeTransfers = { drain: async () => {}, close: async () => {} }

export interface NodeTransfersParts {
  readonly clock: Clock
  readonly random: Random
  readonly disk: Disk
  readonly log: NodeLog
}

interface Transfers {
  run(options: { readonly signal: AbortSignal }): Promise<void>
  close(): Promise<void>
}

/**
 * Opens and runs transfers until the node ends. A broker that is away, and a topic that is not there yet, is told and tried
 * again: the node does not depend on it.
 */
export function runOnAndOn(
  open: (options: {
    readonly signal: AbortSignal
    readonly onProblem: (problem: SkeinError) => void
  }) => Promise<Transfers>,
  { clock, random, log }: NodeTransfersParts,
): NodeTransfers {
  const stop = new AbortController()
  const { signal } = stop
  const tell = (error: unknown) => {
    const code = error instanceof SkeinError ? error.code : 'internal'
    log.warn(error instanceof Error ? error.message : String(error), { code })
  }

  async function runOnce(): Promise<void> {
    const transfers = await open({ signal, onProblem: tell })
    try {
      await transfers.run({ signal })
    } finally {
      await transfers.close()
    }
  }

  async function runOn(): Promise<void> {
    while (!signal.aborted) {
      await runOnce().catch((error: unknown) => {
        if (!signal.aborted) tell(error)
      })
      await clock.sleep(random.float() * AGAIN_AFTER_MS, { signal }).catch(() => {})
    }
  }

  const running = runOn()
  const end = () => {
    stop.abort()
    return running
  }
  return { drain: end, close: end }
}
