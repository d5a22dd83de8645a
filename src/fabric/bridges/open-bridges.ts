import type { Bus } from '../../bus/index.ts'
import { nearest, SkeinError } from '../../core/index.ts'
import { type Bridge, type BridgeStatus, openBridge } from '../../transfer/index.ts'
import type { Binding } from '../binding/binding.ts'
import { openNamedBroker } from '../binding/open-bound-bus.ts'
import { type Machine, machineOf } from '../machine.ts'
import type { BridgeSpec } from './bridge-spec.ts'

export interface OpenBridgesOptions {
  /** By the names that the bridges use. */
  readonly brokers: Binding['brokers']
  /** Default: this machine's. */
  readonly machine?: Partial<Machine>
  readonly connectTimeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProblem: (problem: SkeinError) => void
}

/**
 * Connects to the brokers that the bridges name, each once, and opens all bridges or none. Rejects as `openBridge` does, and
 * with `bad-argument` for a broker that is not named.
 */
export async function openBridges(specs: readonly BridgeSpec[], options: OpenBridgesOptions): Promise<Bridges> {
  await using parts = new AsyncDisposableStack()
  const buses = new Map<string, Promise<Bus>>()
  const machine = machineOf(options.machine ?? {})
  const { signal, connectTimeoutMs, onProblem } = options
  const busOf = (name: string) => {
    const opening =
      buses.get(name) ??
      openNamedBroker(name, addressed(name, options.brokers), {
        machine,
        options: {
          client: 'skein-bridge',
          onConnection: () => {},
          ...(connectTimeoutMs !== undefined && { connectTimeoutMs }),
          ...(signal && { signal }),
        },
      }).then((bus) => parts.adopt(bus, (open) => open.close()))
    buses.set(name, opening)
    return opening
  }
  const bridges: Bridge[] = []
  for (const { name, from, to, subjects, durability, create, start } of specs) {
    const source = { bus: await busOf(from.broker), topic: from.topic }
    const target = { bus: await busOf(to.broker), topic: to.topic ?? from.topic }
    const { clock, random } = machine
    const how = { name, subjects, durability, create, from: start, onProblem }
    bridges.push(await openBridge({ source, target, clock, random, ...how }))
  }
  return new Bridges(bridges, parts.move())
}

/** A name among the brokers; what has a scheme is an address itself. */
function addressed(name: string, brokers: Binding['brokers']): Binding['brokers'][string] {
  const found = brokers[name]
  if (found !== undefined) return found
  if (name.includes(':')) return name
  const names = Object.keys(brokers)
  const near = nearest(name, names)
  const hint = near === undefined ? `the brokers are ${names.join(', ') || 'none'}` : `did you mean "${near}"?`
  throw new SkeinError('bad-argument', `Cannot bridge from or to "${name}": no broker has that name; ${hint}`, {
    details: { broker: name, ...(near !== undefined && { nearest: near }) },
  })
}

/** Bridges that run and end together. */
export class Bridges {
  readonly #bridges: readonly Bridge[]
  readonly #parts: AsyncDisposableStack

  constructor(bridges: readonly Bridge[], parts: AsyncDisposableStack) {
    this.#bridges = bridges
    this.#parts = parts
  }

  /** Until the signal, or the end of every source; one that fails ends the others, too. Rejects as `Bridge.run` does. */
  async run(options: { readonly signal?: AbortSignal; readonly untilEnd?: boolean } = {}): Promise<void> {
    const failed = new AbortController()
    const signal = options.signal ? AbortSignal.any([options.signal, failed.signal]) : failed.signal
    const running = this.#bridges.map((bridge) =>
      bridge.run({ ...options, signal }).catch((error: unknown) => {
        failed.abort()
        throw error
      }),
    )
    const ends = await Promise.allSettled(running)
    for (const end of ends) if (end.status === 'rejected') throw end.reason
  }

  status(): Promise<readonly BridgeStatus[]> {
    return Promise.all(this.#bridges.map((bridge) => bridge.status()))
  }

  /** Lets the brokers go. Idempotent. */
  close(): Promise<void> {
    return this.#parts.disposeAsync()
  }
}
