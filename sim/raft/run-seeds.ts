import { type ChildProcess, fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { SeedResult } from './report.ts'
import type { Scenario } from './scenario.ts'
import type { WorkerTask } from './worker.ts'

export interface RunSeedsOptions {
  readonly histories?: string
  /** Begins no further run after one that failed. */
  readonly failFast?: boolean
  /** Default: one for each processor. */
  readonly workers?: number
  readonly progress?: (result: SeedResult, done: number) => void
  /** Ends all workers. */
  readonly signal?: AbortSignal
}

/** Plays scenarios in worker processes; the results are in the order of the scenarios that were played. */
export async function runSeeds(scenarios: readonly Scenario[], options: RunSeedsOptions = {}): Promise<SeedResult[]> {
  const { workers = availableParallelism(), histories, failFast = false, progress = () => {}, signal } = options
  const results: SeedResult[] = []
  let next = 0
  let done = 0
  const work = async () => {
    const worker = fork(fileURLToPath(new URL('./worker.ts', import.meta.url)), [], { execArgv: [] })
    const end = () => worker.kill()
    signal?.addEventListener('abort', end, { once: true })
    try {
      for (let at = next; at < scenarios.length; at = next) {
        next += 1
        const result = await ask(worker, { scenario: scenarios[at]!, ...(histories !== undefined && { histories }) })
        results[at] = result
        done += 1
        progress(result, done)
        if (failFast && result.failure !== undefined) next = scenarios.length
      }
    } finally {
      signal?.removeEventListener('abort', end)
      worker.kill()
    }
  }
  await Promise.all(Array.from({ length: Math.min(workers, scenarios.length) }, work))
  return results.filter((result) => result !== undefined)
}

function ask(worker: ChildProcess, task: WorkerTask): Promise<SeedResult> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null) =>
      reject(new Error(`A worker ended with ${code ?? 'a signal'} while it played seed ${task.scenario.seed}`))
    worker.once('exit', onExit)
    worker.once('message', (result: SeedResult) => {
      worker.off('exit', onExit)
      resolve(result)
    })
    worker.send(task)
  })
}
