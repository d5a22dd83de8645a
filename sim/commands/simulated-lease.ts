import type { AgentRecord, Lease } from '../../src/channel/index.ts'
import { type Clock, SkeinError } from '../../src/core/index.ts'
import { momentOf, NodeTimeEstimate } from '../../src/swarm/index.ts'
import type { MachineClock } from './machine-clock.ts'
import type { SimulatedRoster } from './simulated-roster.ts'

export const LEASE_MS = 3_000
const PULSE_MS = 1_000
const ROUND_TRIP_MS = 5

export interface SimulatedLeaseParts {
  readonly record: AgentRecord
  readonly roster: SimulatedRoster
  /** The agent's machine. */
  readonly clock: MachineClock
  /** The node's clock. */
  readonly node: Clock
  readonly isAlive: () => boolean
}

/** An agent's lease and its idea of node time: both come with pulses, and end with silence, a newer epoch, or the test. */
export class SimulatedLease implements Lease {
  readonly time: NodeTimeEstimate
  readonly #parts: SimulatedLeaseParts
  readonly #fenced = new AbortController()
  #untilMs = 0
  #isLost = false

  constructor(parts: SimulatedLeaseParts) {
    this.#parts = parts
    this.time = new NodeTimeEstimate(parts.clock)
    this.#pulse()
    this.#pulseLater()
  }

  get fenced(): AbortSignal {
    return this.#fenced.signal
  }

  held(): boolean {
    return !this.#isLost && this.#parts.clock.monotonicMs() < this.#untilMs && this.time.latestMs() !== undefined
  }

  /** As after a pause: nothing is known of the time that passed. */
  lose(): void {
    this.#isLost = true
  }

  async renew(): Promise<void> {
    await this.#parts.clock.sleep(ROUND_TRIP_MS)
    if (!this.#isNewest) {
      this.#fenced.abort(new SkeinError('fenced', 'A newer epoch took its place'))
      throw this.#fenced.signal.reason
    }
    this.#isLost = false
    this.#pulse()
  }

  get #isNewest(): boolean {
    const { roster, record } = this.#parts
    return roster.get(record.id)?.epoch === record.epoch
  }

  #pulseLater(): void {
    this.#parts.clock.setTimer(() => {
      if (!this.#parts.isAlive() || !this.#isNewest) return
      this.#pulse()
      this.#pulseLater()
    }, PULSE_MS)
  }

  #pulse(): void {
    const { roster, record, node, clock } = this.#parts
    const askedAt = momentOf(clock)
    this.time.exchanged(node.nowMs(), askedAt)
    this.#untilMs = askedAt.monotonicMs + LEASE_MS
    if (this.#isNewest && this.#parts.isAlive()) roster.heard(record.id, node.nowMs())
  }
}
