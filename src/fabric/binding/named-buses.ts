import type { Bus } from '../../bus/index.ts'
import { nearest, SkeinError } from '../../core/index.ts'
import { type Machine, machineOf } from '../machine.ts'
import type { Binding } from './binding.ts'
import { openNamedBroker } from './open-bound-bus.ts'

export interface NamedBusesOptions {
  readonly brokers: Binding['brokers']
  /** Default: this machine's. */
  readonly machine?: Partial<Machine> | undefined
  readonly connectTimeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** What the brokers see. */
  readonly client: string
}

/** Connections to brokers by their names, each made once, and closed together with `parts`. */
export class NamedBuses {
  readonly #options: NamedBusesOptions
  readonly #parts: AsyncDisposableStack
  readonly #buses = new Map<string, Promise<Bus>>()

  constructor(options: NamedBusesOptions, parts: AsyncDisposableStack) {
    this.#options = options
    this.#parts = parts
  }

  /** A name among the brokers, or an address. Rejects with `bad-argument` for neither, and as the driver does. */
  async get(name: string): Promise<Bus> {
    const known = this.#buses.get(name)
    if (known !== undefined) return known
    const opening = this.#open(name)
    this.#buses.set(name, opening)
    return opening
  }

  async #open(name: string): Promise<Bus> {
    const { brokers, machine = {}, client, connectTimeoutMs, signal } = this.#options
    const bus = await openNamedBroker(name, addressed(name, brokers), {
      machine: machineOf(machine),
      options: {
        client,
        onConnection: () => {},
        ...(connectTimeoutMs !== undefined && { connectTimeoutMs }),
        ...(signal && { signal }),
      },
    })
    return this.#parts.adopt(bus, (open) => open.close())
  }
}

/** A name among the brokers; what has a scheme is an address itself. */
function addressed(name: string, brokers: Binding['brokers']): Binding['brokers'][string] {
  const found = brokers[name]
  if (found !== undefined) return found
  if (name.includes(':')) return name
  const names = Object.keys(brokers)
  const near = nearest(name, names)
  const hint = near === undefined ? `the brokers are ${names.join(', ') || 'none'}` : `did you mean "${near}"?`
  throw new SkeinError('bad-argument', `Cannot use "${name}" as a broker: none has that name; ${hint}`, {
    details: { broker: name, ...(near !== undefined && { nearest: near }) },
  })
}
