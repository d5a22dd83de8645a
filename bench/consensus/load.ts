import { Worker } from '../remote/worker.ts'
import { type Figures, figuresOf } from './figures.ts'
import type { FirstAcknowledgment, Loaded, LoadTarget } from './load-client.ts'
import type { LoadRequest } from './load-process.ts'

const PROCESSES = 2
const ATTEMPTS = 3

/** What is driven. */
export interface LoadSide {
  readonly targets: readonly LoadTarget[]
  /** By client: what was acknowledged to it, for whoever looks whether it is there. */
  readonly ledger: Map<number, number>
}

interface LoadWanted {
  readonly inFlight: number
  readonly proposals: number
}

/** The client processes: the same for whatever is measured. */
export class Load {
  readonly #workers = Array.from({ length: PROCESSES }, () => new Worker(new URL('./load-process.ts', import.meta.url)))
  #clients = 0
  #started: { readonly side: LoadSide; readonly clients: readonly number[] } | undefined

  /**
   * So many in flight, until so many are acknowledged; with one in flight there is one client. Nothing is broken here, yet on a
   * machine that does much else a leader may be replaced: a figure with that in it would say nothing, and it is measured again.
   */
  async run(side: LoadSide, wanted: LoadWanted): Promise<Figures> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      const loaded = await this.#once(side, wanted)
      const unknown = loaded.reduce((sum, one) => sum + one.unknown, 0)
      if (unknown === 0) return figuresOf(loaded)
      process.stderr.write(`${unknown} proposals lost their leader: once more\n`)
    }
    throw new Error(`A leader was lost in each of ${ATTEMPTS} attempts, though nothing was broken`)
  }

  async #once(side: LoadSide, wanted: LoadWanted): Promise<readonly Loaded[]> {
    const workers = this.#workers.slice(0, Math.min(PROCESSES, wanted.inFlight))
    const inFlight = wanted.inFlight / workers.length
    const proposals = Math.ceil(wanted.proposals / workers.length)
    const { targets } = side
    const clients = workers.map(() => this.#nextClient())
    const loaded = await Promise.all(
      workers.map((worker, at) => ask(worker, { run: { client: clients[at]!, targets, inFlight, proposals } })),
    )
    note(side, clients, loaded)
    return loaded
  }

  #nextClient(): number {
    this.#clients += 1
    return this.#clients
  }

  /** Until `stop()`. */
  async start(side: LoadSide, inFlight: number): Promise<void> {
    const clients = this.#workers.map(() => this.#nextClient())
    this.#started = { side, clients }
    const { targets } = side
    const options = { targets, inFlight: inFlight / PROCESSES }
    await Promise.all(
      this.#workers.map((worker, at) => {
        return worker.ask({ start: { ...options, client: clients[at]! } } satisfies LoadRequest)
      }),
    )
  }

  async firsts(): Promise<readonly FirstAcknowledgment[]> {
    const asked: LoadRequest = { firsts: true }
    const found = await Promise.all(
      this.#workers.map((worker) => worker.ask<{ firsts: readonly FirstAcknowledgment[] }>(asked)),
    )
    return found.flatMap(({ firsts }) => firsts)
  }

  /** Of what was started. */
  async stop(): Promise<void> {
    const { side, clients } = this.#started!
    note(side, clients, await Promise.all(this.#workers.map((worker) => ask(worker, { stop: true }))))
  }

  close(): void {
    for (const worker of this.#workers) worker.stop()
  }
}

function ask(worker: Worker, request: LoadRequest): Promise<Loaded> {
  return worker.ask<Loaded>(request)
}

function note({ ledger }: LoadSide, clients: readonly number[], loaded: readonly Loaded[]): void {
  for (const [at, { acknowledged }] of loaded.entries()) ledger.set(clients[at]!, acknowledged)
}
