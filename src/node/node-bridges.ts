import { type Binding, type NodeConfig, openBridges } from '../fabric/index.ts'
import { type NodeTransfers, type NodeTransfersParts, noTransfers, runOnAndOn } from './node-transfers.ts'

/** Runs the bridges of a configuration beside the node until it ends. */
export function runNodeBridges({ bridges, brokers }: NodeConfig, parts: NodeTransfersParts): NodeTransfers {
  if (bridges.length === 0) return noTransfers
  const { clock, random, disk } = parts
  const named = (brokers ?? {}) as Binding['brokers']
  const machine = { clock, random, disk }
  return runOnAndOn(
    ({ signal, onProblem }) => openBridges(bridges, { brokers: named, machine, signal, onProblem }),
    parts,
  )
}
