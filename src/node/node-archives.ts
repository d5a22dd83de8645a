import { type Binding, type NodeConfig, openArchives } from '../fabric/index.ts'
import { type NodeTransfers, type NodeTransfersParts, runOnAndOn } from './node-transfers.ts'

/**
 * Runs the archives of a configuration beside the node until it ends, each by itself. A node that finds another writing an
 * archive stands by: it looks again after a while.
 */
export function runNodeArchives({ archives, brokers }: NodeConfig, parts: NodeTransfersParts): NodeTransfers {
  const { clock, random, disk } = parts
  const named = (brokers ?? {}) as Binding['brokers']
  const machine = { clock, random, disk }
  const running = archives.map((spec) =>
    runOnAndOn(({ signal, onProblem }) => openArchives([spec], { brokers: named, machine, signal, onProblem }), parts),
  )
  return {
    drain: () => Promise.all(running.map((one) => one.drain())).then(() => {}),
    close: () => Promise.all(running.map((one) => one.close())).then(() => {}),
  }
}
