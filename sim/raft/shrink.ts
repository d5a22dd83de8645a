import type { Scenario } from './scenario.ts'
import { type Failure, simulate } from './simulate.ts'

export interface Shrunk {
  readonly scenario: Scenario
  readonly failure: Failure
  readonly runs: number
}

export interface ShrinkOptions {
  /** Runs to spend. Default 150. */
  readonly runsMax?: number
  readonly play?: (scenario: Scenario) => Failure | undefined
}

/** Takes away faults, clients and nodes as long as the same promise is still broken. */
export function shrink(scenario: Scenario, failure: Failure, options: ShrinkOptions = {}): Shrunk {
  const shrinking = new Shrinking(scenario, failure, options)
  shrinking.run()
  return shrinking.best
}

class Shrinking {
  best: Shrunk
  readonly #runsMax: number
  readonly #play: (scenario: Scenario) => Failure | undefined
  #runs = 0

  constructor(scenario: Scenario, failure: Failure, { runsMax = 150, play }: ShrinkOptions) {
    this.best = { scenario, failure, runs: 0 }
    this.#runsMax = runsMax
    this.#play = play ?? ((candidate) => simulate(candidate).failure)
  }

  run(): void {
    for (let before = -1; before !== this.#runs && this.#runs < this.#runsMax; ) {
      const size = sizeOf(this.best.scenario)
      before = this.#runs
      this.#dropFaults()
      this.#simplify()
      if (sizeOf(this.best.scenario) === size) return
    }
  }

  /** Halves, then quarters, down to single faults (delta debugging). */
  #dropFaults(): void {
    let chunk = Math.max(1, Math.ceil(this.best.scenario.faults.length / 2))
    for (;;) {
      for (let at = 0; at < this.best.scenario.faults.length; ) {
        const { faults } = this.best.scenario
        const kept = [...faults.slice(0, at), ...faults.slice(at + chunk)]
        if (!this.#try({ faults: kept })) at += chunk
      }
      if (chunk === 1) return
      chunk = Math.ceil(chunk / 2)
    }
  }

  #simplify(): void {
    const { scenario } = this.best
    for (const clients of [1, 2]) if (clients < scenario.clients && this.#try({ clients })) break
    for (const nodes of [1, 2, 3, 4, 5]) if (nodes < scenario.nodes && this.#try({ nodes })) break
    if (scenario.keys > 1) this.#try({ keys: 1 })
    if (scenario.isUpgraded) this.#try({ isUpgraded: false })
    if (scenario.opportunityPercent > 0) this.#try({ opportunityPercent: 0 })
    if (scenario.applyMsMax > 0) this.#try({ applyMsMax: 0 })
    if (scenario.paddingBytesMax > 0) this.#try({ paddingBytesMax: 0 })
    const last = Math.max(0, ...this.best.scenario.faults.map(({ at, duration }) => at + duration))
    const enoughMs = Math.ceil(Math.min(last, this.best.failure.atMs) + 3_000)
    if (enoughMs < scenario.faultsMs) this.#try({ faultsMs: enoughMs })
  }

  #try(change: Partial<Scenario>): boolean {
    if (this.#runs >= this.#runsMax) return false
    this.#runs += 1
    const scenario = { ...this.best.scenario, ...change }
    const failure = this.#play(scenario)
    if (failure?.invariant !== this.best.failure.invariant) return false
    this.best = { scenario, failure, runs: this.#runs }
    return true
  }
}

function sizeOf({ faults, clients, nodes, faultsMs }: Scenario): number {
  return faults.length * 100 + clients + nodes + faultsMs
}
