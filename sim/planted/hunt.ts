import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { relative } from 'node:path'
import type { Bug } from './bug.ts'
import { copyTree, plant, removeTree } from './tree-copy.ts'

/** One part of the general harness: a command that passes on the tree as it is. */
export interface Step {
  readonly name: string
  /** Arguments to Node, run in the tree. */
  readonly args: readonly string[]
  /** Beginnings of paths it is most likely to have something to say about: decides only the order. */
  readonly covers: readonly string[]
  /** A step that takes longer has hung, which counts as failing. */
  readonly timeoutMs: number
  /** It looks at nothing but what lies below these paths, and what touches only that needs no other step. */
  readonly scope?: readonly string[]
}

export interface Finding {
  readonly name: string
  readonly file: string
  /**
   * The step and the test in it that failed each time, as `timeout in …` when it did not end in time; null when none
   * failed twice: the bug lives.
   */
  readonly caughtBy: string | null
  /** Of a simulation: the seeds that failed. */
  readonly seeds: readonly number[]
  readonly seconds: number
}

export interface HuntOptions {
  /** Told what is being done. */
  readonly progress?: (text: string) => void
  /** Ends the step that runs, and the hunt with it; copies are removed. */
  readonly signal?: AbortSignal
}

interface Outcome {
  readonly passed: boolean
  /** It failed for nothing but time: it, or a test in it, hung. */
  readonly hung: boolean
  readonly output: string
}

/** Of a step that fails with a bug: a bug in a race need not show each time. */
const RUNS_MAX = 3

/** Plants bugs, one at a time, each in a copy of the tree, and runs the same steps until one fails. */
export class Hunt {
  readonly #root: string
  readonly #steps: readonly Step[]
  readonly #progress: (text: string) => void
  readonly #signal: AbortSignal | undefined
  readonly #provenClean = new Set<string>()
  #clean: Promise<string> | undefined

  constructor(root: string, steps: readonly Step[], options: HuntOptions = {}) {
    this.#root = root
    this.#steps = steps
    this.#progress = options.progress ?? (() => {})
    this.#signal = options.signal
  }

  /** Throws unless every step that these bugs need passes without any bug. */
  async proveClean(bugs: readonly Pick<Bug, 'touches'>[]): Promise<void> {
    for (const step of this.#steps) {
      if (bugs.some((bug) => isFor(this.#steps, bug)(step))) await this.#proveStep(step)
    }
  }

  async catchBug(bug: Bug): Promise<Finding> {
    const startedAtMs = performance.now()
    const folder = await copyTree(this.#root)
    try {
      await plant(bug, folder)
      const { caughtBy, seeds } = await this.#firstFailure(bug, folder)
      return {
        name: bug.name,
        file: shown(this.#root, bug.file),
        caughtBy,
        seeds,
        seconds: Math.round((performance.now() - startedAtMs) / 100) / 10,
      }
    } finally {
      await removeTree(folder)
    }
  }

  async close(): Promise<void> {
    if (this.#clean !== undefined) await removeTree(await this.#clean)
  }

  async #firstFailure(bug: Bug, folder: string): Promise<Pick<Finding, 'caughtBy' | 'seeds'>> {
    for (const step of inOrder(this.#steps, bug)) {
      this.#progress(`${bug.name}: ${step.name}`)
      const first = await runStep(step, folder, this.#signal)
      if (first.passed) continue
      const confirmed = await this.#failsAgain(bug, step, { folder, first })
      if (confirmed === undefined) continue
      const { what, hung } = confirmed
      // A busy machine may be slow without any bug: then it has to be shown now that the step passes.
      if (hung) this.#provenClean.delete(step.name)
      await this.#proveStep(step)
      return { caughtBy: hung ? `timeout in ${what}` : what, seeds: failedSeeds(first.output) }
    }
    return { caughtBy: null, seeds: [] }
  }

  /** What failed in two runs, of a few: a test that fails now and then without any bug is no catch. */
  async #failsAgain(
    bug: Bug,
    step: Step,
    seen: { readonly folder: string; readonly first: Outcome },
  ): Promise<{ readonly what: string; readonly hung: boolean } | undefined> {
    const failed = new Set(failuresOf(step, seen.first.output))
    let { hung } = seen.first
    for (let run = 2; run <= RUNS_MAX; run += 1) {
      this.#progress(`${bug.name}: ${step.name}, once more`)
      const outcome = await runStep(step, seen.folder, this.#signal)
      if (outcome.passed) continue
      const again = failuresOf(step, outcome.output)
      hung &&= outcome.hung
      const what = again.find((name) => failed.has(name))
      if (what !== undefined) return { what, hung }
      for (const name of again) failed.add(name)
    }
    this.#progress(`${bug.name}: ${step.name} failed, but nothing in it twice: that is no catch`)
    return undefined
  }

  /** A step may call a bug caught only if it passes without it. */
  async #proveStep(step: Step): Promise<void> {
    if (this.#provenClean.has(step.name)) return
    this.#progress(`without a bug: ${step.name}`)
    this.#clean ??= copyTree(this.#root)
    const folder = await this.#clean
    // A second chance, so that a machine which was busy for a moment does not end the whole hunt.
    const first = await runStep(step, folder, this.#signal)
    const { passed, output } = first.passed ? first : await runStep(step, folder, this.#signal)
    if (!passed) throw new Error(`The step "${step.name}" fails without any planted bug:\n${output.slice(-4_000)}`)
    this.#provenClean.add(step.name)
  }
}

/** The same steps for every bug of a place; those nearest to what it touches first, so that it is found sooner. */
export function inOrder(steps: readonly Step[], bug: Pick<Bug, 'touches'>): Step[] {
  const chosen = steps.filter(isFor(steps, bug))
  const isNear = (step: Step) => step.covers.some((path) => bug.touches.some((touched) => touched.startsWith(path)))
  return [...chosen.filter(isNear), ...chosen.filter((step) => !isNear(step))]
}

/** Steps with a scope are for bugs that touch it; a bug that touches nothing else needs only them. */
function isFor(steps: readonly Step[], { touches }: Pick<Bug, 'touches'>): (step: Step) => boolean {
  const isIn = (path: string, { scope }: Step) => scope?.some((prefix) => path.startsWith(prefix)) === true
  const isScoped = touches.every((path) => steps.some((step) => isIn(path, step)))
  return (step) => (step.scope === undefined ? !isScoped : touches.some((path) => isIn(path, step)))
}

/** The step's tests that failed, innermost first; the step itself where it names none. */
function failuresOf(step: Step, output: string): string[] {
  const names = [...output.matchAll(/^\s*✖ (.+) \([\d.]+ms\)/gm)].map((match) => `${step.name}: ${match[1]}`)
  return names.length === 0 ? [step.name] : names
}

/** A simulation reports as its last line which seeds failed. */
function failedSeeds(output: string): number[] {
  const line = output.split('\n').findLast((text) => text.startsWith('{"seeds":'))
  if (line === undefined) return []
  const report: { readonly failures?: ReadonlyArray<{ readonly seed: number }> } = JSON.parse(line)
  return (report.failures ?? []).map(({ seed }) => seed)
}

async function runStep(step: Step, folder: string, signal: AbortSignal | undefined): Promise<Outcome> {
  signal?.throwIfAborted()
  // A group of its own, so that what the step started ends with it when it hangs. The harness itself may run under the
  // test runner, whose marks in the environment would change how tests below it report.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const child = spawn(process.execPath, step.args, {
    cwd: folder,
    detached: true,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output.push(text)
      if (output.length > 2_000) output.shift()
    })
  }
  const kill = () => killGroup(child.pid!)
  let isOverdue = false
  const timer = setTimeout(() => {
    isOverdue = true
    kill()
  }, step.timeoutMs)
  signal?.addEventListener('abort', kill, { once: true })
  const [code] = (await once(child, 'close')) as [number | null]
  clearTimeout(timer)
  signal?.removeEventListener('abort', kill)
  signal?.throwIfAborted()
  const text = output.join('')
  return { passed: code === 0, hung: code !== 0 && (isOverdue || onlyTimedOut(text)), output: text }
}

/** Whether the tests that failed were all cut off by their own time limit. */
function onlyTimedOut(output: string): boolean {
  return /test timed out after \d+ ?ms/.test(output) && !/AssertionError|Error \[|Error:/.test(output)
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It ended by itself in this very moment.
  }
}

function shown(root: string, file: string): string {
  const path = relative(root, file)
  return path.startsWith('..') ? file : path
}
