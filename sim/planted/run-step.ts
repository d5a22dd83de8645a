import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, rm } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type FailedTest, readFailedTest } from './failure-reporter.ts'

/** One part of the general harness: a command that passes on the tree as it is. */
export interface Step {
  readonly name: string
  /** Arguments to Node, run in the tree; of tests without their files. */
  readonly args: readonly string[]
  /** Files of tests, which Node's test runner runs. */
  readonly tests?: readonly string[]
  /** Beginnings of paths it is most likely to have something to say about: decides only the order. */
  readonly covers: readonly string[]
  /** A step that takes longer has hung, which counts as failing. */
  readonly timeoutMs: number
  /** Its tests start processes that only they can end: it is not cut off at the first failure. */
  readonly runsToItsEnd?: boolean
  /** It looks at nothing but what lies below these paths, and what touches only that needs no other step. */
  readonly scope?: readonly string[]
}

export interface Outcome {
  readonly passed: boolean
  /** It failed for nothing but time: it, or a test in it, hung. */
  readonly hung: boolean
  /** The tests that failed by the time it ended. */
  readonly failed: readonly FailedTest[]
  /** The last lines that it wrote. */
  readonly output: string
}

export interface RunOptions {
  /** Ends the step, which then throws the signal's reason. */
  readonly signal: AbortSignal | undefined
  /** Instead of the step's own. */
  readonly timeoutMs?: number
  /** Only these files of its tests; undefined: all. */
  readonly tests?: readonly string[] | undefined
  /** Whether this failure is reason enough to end the step at once. */
  readonly endsWith: (failed: FailedTest) => boolean
}

const REPORTERS = [
  ...['--test-reporter=spec', '--test-reporter-destination=stdout'],
  ...[`--test-reporter=${fileURLToPath(new URL('failure-reporter.ts', import.meta.url))}`],
  '--test-reporter-destination=stderr',
]
const LINES_MAX = 2_000

/** Runs a step in a copy of the tree. What it leaves in its folder for temporary files is deleted. */
export async function runStep(step: Step, folder: string, options: RunOptions): Promise<Outcome> {
  const { signal } = options
  signal?.throwIfAborted()
  const temporary = join(folder, `tmp-${process.hrtime.bigint().toString(36)}`)
  await mkdir(temporary)
  try {
    return await new Run(step, { folder, temporary, ...options }).outcome(signal)
  } finally {
    await rm(temporary, { recursive: true, force: true, maxRetries: 5 })
  }
}

interface Place extends Omit<RunOptions, 'signal'> {
  readonly folder: string
  readonly temporary: string
}

class Run {
  readonly #step: Step
  readonly #place: Place
  readonly #lines: string[] = []
  readonly #failed: FailedTest[] = []
  #isOverdue = false
  #pid = 0

  constructor(step: Step, place: Place) {
    this.#step = step
    this.#place = place
  }

  async outcome(signal: AbortSignal | undefined): Promise<Outcome> {
    const { args, tests } = this.#step
    const { folder, temporary, timeoutMs = this.#step.timeoutMs } = this.#place
    // The harness itself may run under the test runner, whose marks in the environment would change how tests below it
    // report.
    const { NODE_TEST_CONTEXT: _, ...env } = process.env
    const files = tests === undefined ? [] : [...REPORTERS, ...(this.#place.tests ?? tests)]
    // A group of its own, so that what the step started ends with it when it hangs.
    const child = spawn(process.execPath, [...args, ...files], {
      cwd: folder,
      detached: true,
      // A bug changes a file or two: the rest is compiled once for all of a copy's runs.
      env: { NODE_COMPILE_CACHE: join(folder, '.compiled'), ...env, TMPDIR: temporary },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#pid = child.pid!
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => this.#onLine(line))
    }
    const kill = () => this.#kill()
    const timer = setTimeout(() => {
      this.#isOverdue = true
      kill()
    }, timeoutMs)
    signal?.addEventListener('abort', kill, { once: true })
    const [code] = (await once(child, 'close')) as [number | null]
    clearTimeout(timer)
    signal?.removeEventListener('abort', kill)
    signal?.throwIfAborted()
    const hung = code !== 0 && (this.#isOverdue || isOnlyTime(this.#failed))
    return { passed: code === 0, hung, failed: this.#failed, output: this.#lines.join('\n') }
  }

  #onLine(line: string): void {
    const told = readFailedTest(line)
    if (told === undefined) {
      this.#lines.push(line)
      if (this.#lines.length > LINES_MAX) this.#lines.shift()
      return
    }
    const failed = { ...told, file: relative(this.#place.folder, told.file) }
    this.#failed.push(failed)
    if (this.#step.runsToItsEnd !== true && this.#place.endsWith(failed)) this.#kill()
  }

  #kill(): void {
    try {
      process.kill(-this.#pid, 'SIGKILL')
    } catch {
      // It ended by itself in this very moment.
    }
  }
}

function isOnlyTime(failed: readonly FailedTest[]): boolean {
  return failed.length > 0 && failed.every(({ isTimeout }) => isTimeout)
}
