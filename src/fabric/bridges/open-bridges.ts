import type { SkeinError } from '../../core/index.ts'
import { type Bridge, type BridgeStatus, openBridge } from '../../transfer/index.ts'
import { NamedBuses, type NamedBusesOptions } from '../binding/named-buses.ts'
import { machineOf } from '../machine.ts'
import { Together } from '../together.ts'
import type { BridgeSpec } from './bridge-spec.ts'

export interface OpenBridgesOptions extends Omit<NamedBusesOptions, 'client'> {
  readonly onProblem: (problem: SkeinError) => void
}

/**
 * Connects to the brokers that the bridges name, each once, and opens all bridges or none. Rejects as `openBridge` does, and
 * with `bad-argument` for a broker that is not named.
 */
export async function openBridges(
  specs: readonly BridgeSpec[],
  options: OpenBridgesOptions,
): Promise<Together<BridgeStatus>> {
  await using parts = new AsyncDisposableStack()
  const buses = new NamedBuses({ ...options, client: 'skein-bridge' }, parts)
  const { clock, random } = machineOf(options.machine ?? {})
  const bridges: Bridge[] = []
  for (const { name, from, to, subjects, durability, create, start } of specs) {
    const source = { bus: await buses.get(from.broker), topic: from.topic }
    const target = { bus: await buses.get(to.broker), topic: to.topic ?? from.topic }
    const how = { name, subjects, durability, create, from: start, onProblem: options.onProblem }
    bridges.push(await openBridge({ source, target, clock, random, ...how }))
  }
  return new Together(bridges, parts.move())
}
