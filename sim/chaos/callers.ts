import { Worker } from '../../bench/remote/worker.ts'
import type { Operation } from '../../testing/index.ts'
import type { ClientRequest, Counts } from './client-process.ts'

const PROCESSES = 2

export interface CallersOptions {
  readonly seed: number
  readonly sessions: number
  readonly targets: ReadonlyArray<{ readonly id: number; readonly port: number }>
  readonly startNs: bigint
}

/** The client processes of a group. */
export class Callers {
  readonly #workers: readonly Worker[]

  private constructor(workers: readonly Worker[]) {
    this.#workers = workers
  }

  static async start({ seed, sessions, targets, startNs }: CallersOptions): Promise<Callers> {
    const file = new URL('./client-process.ts', import.meta.url)
    const workers = Array.from({ length: PROCESSES }, () => new Worker(file))
    const shared = { sessions: sessions / PROCESSES, members: targets, startNs: String(startNs) }
    await Promise.all(
      workers.map((worker, at) => {
        return worker.ask({
          open: { ...shared, name: `c${seed}p${at}`, seed: seed * PROCESSES + at },
        } satisfies ClientRequest)
      }),
    )
    return new Callers(workers)
  }

  async begin(keys: readonly string[]): Promise<void> {
    await this.#all({ begin: keys })
  }

  async counts(): Promise<Counts> {
    const found = await this.#all<Counts>({ count: true })
    const sum = (what: keyof Counts) => found.reduce((total, counts) => total + counts[what], 0)
    return { acked: sum('acked'), reads: sum('reads') }
  }

  async end(): Promise<readonly Operation[]> {
    return (await this.#all<readonly Operation[]>({ end: true })).flat()
  }

  #all<Answer>(request: ClientRequest): Promise<readonly Answer[]> {
    return Promise.all(this.#workers.map((worker) => worker.ask<Answer>(request)))
  }

  close(): void {
    for (const worker of this.#workers) worker.stop()
  }
}
