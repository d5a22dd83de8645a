import type { Clock, Disk, Random } from '../core/index.ts'
import { SkeinError } from '../core/index.ts'
import { type Binding, type NodeConfig, openBridges } from '../fabric/index.ts'
import type { NodeLog } from './node-log.ts'

const AGAIN_AFTER_MS = 10_000

export interface NodeBridges {
  /** What is on its way is finished. Idempotent. */
  drain(): Promise<void>
  close(): Promise<void>
}

/**
 * Runs the bridges of a configuration beside the node until it ends. A broker that is away, and a topic that is not there yet,
 * is told and tried again: the node does not depend on it.
 */
export function runNodeBridges(
  { bridges, brokers }: NodeConfig,
  parts: { readonly clock: Clock; readonly random: Random; readonly disk: Disk; readonly log: NodeLog },
): NodeBridges {
  const { clock, random, disk, log } = parts
  const stop = new AbortController()
  const { signal } = stop
  const tell = (error: unknown) => {
    const code = error instanceof SkeinError ? error.code : 'internal'
    log.warn(error instanceof Error ? error.message : String(error), { code })
  }

  async function runOnce(): Promise<void> {
    const machine = { clock, random, disk }
    const named = (brokers ?? {}) as Binding['brokers']
    const open = await openBridges(bridges, { brokers: named, machine, signal, onProblem: tell })
    try {
      await open.run({ signal })
    } finally {
      await open.close()
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

  const running = bridges.length === 0 ? Promise.resolve() : runOn()
  const end = () => {
    stop.abort()
    return running
  }
  return { drain: end, close: end }
}
