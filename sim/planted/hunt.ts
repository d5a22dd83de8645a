import { relative } from 'node:path'
import type { Bug } from './bug.ts'
import { type Outcome, runStep, type Step } from './run-step.ts'
import { copyTree, plant, removeTree } from './tree-copy.ts'

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

interface Caught {
  readonly what: string
  readonly hung: boolean
  readonly seeds: readonly number[]
}

/** Of a step that fails with a bug: a bug in a race need not show each time. */
const RUNS_MAX = 3
/** Without a bug a step ends, however slow the machine is: it gets so many times what it is given with one. */
const PATIENCE = 4
/** With a bug a step has hung when it takes so many times what it took without one, and longer than it is given. */
const SLOWER_MAX = 3
/** What failed once and not again may have cut off the step before what fails each time. */
const ROUNDS_MAX = 3

/** Plants bugs, each in a copy of the tree of its own, and runs the same steps until one fails. Several may be hunted at once. */
export class Hunt {
  readonly #root: string
  readonly #steps: readonly Step[]
  readonly #progress: (text: string) => void
  readonly #signal: AbortSignal | undefined
  /** By a step's name. */
  readonly #provenClean = new Map<string, Promise<void>>()
  /** How long a step took without a bug, by its name. */
  readonly #tookMs = new Map<string, number>()
  #lastProof: Promise<void> = Promise.resolve()
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
      const caught = await this.#failsTwice(bug, step, folder)
      if (caught === undefined) continue
      const { what, hung, seeds } = caught
      // A busy machine may be slow without any bug: then it has to be shown now that the step passes.
      if (hung) this.#provenClean.delete(step.name)
      await this.#proveStep(step)
      return { caughtBy: hung ? `timeout in ${what}` : what, seeds }
    }
    return { caughtBy: null, seeds: [] }
  }

  /** What failed in two runs, of a few: a test that fails now and then without any bug is no catch. */
  async #failsTwice(bug: Bug, step: Step, folder: string): Promise<Caught | undefined> {
    const dismissed = new Set<string>()
    for (let round = 1; round <= ROUNDS_MAX; round += 1) {
      this.#progress(`${bug.name}: ${step.name}`)
      const first = await runStep(step, folder, {
        signal: this.#signal,
        timeoutMs: this.#timeoutMs(step),
        endsWith: ({ name }) => !dismissed.has(name),
      })
      if (first.passed || failuresOf(step, first).every((name) => dismissed.has(name))) return undefined
      const caught = await this.#failsAgain(bug, step, { folder, first })
      if (caught !== undefined) return caught
      this.#progress(`${bug.name}: ${step.name} failed, but nothing in it twice: that is no catch`)
      for (const name of failuresOf(step, first)) dismissed.add(name)
    }
    return undefined
  }

  /** Only the files that had a failure run again, until what failed before fails again. */
  async #failsAgain(
    bug: Bug,
    step: Step,
    seen: { readonly folder: string; readonly first: Outcome },
  ): Promise<Caught | undefined> {
    const { first, folder } = seen
    const failed = new Set(failuresOf(step, first))
    const tests = filesOf(step, first)
    let { hung } = first
    for (let run = 2; run <= RUNS_MAX; run += 1) {
      this.#progress(`${bug.name}: ${step.name}, once more`)
      const outcome = await runStep(step, folder, {
        signal: this.#signal,
        timeoutMs: this.#timeoutMs(step),
        endsWith: ({ name }) => failed.has(name),
        tests,
      })
      if (outcome.passed) continue
      const again = failuresOf(step, outcome)
      hung &&= outcome.hung
      const what = again.find((name) => failed.has(name))
      if (what !== undefined) return { what: shownTest(step, what), hung, seeds: failedSeeds(first.output) }
      for (const name of again) failed.add(name)
    }
    return undefined
  }

  /** Of a step with a bug: what it is given, and longer on a machine on which it takes longer without one. */
  #timeoutMs(step: Step): number {
    return Math.max(step.timeoutMs, SLOWER_MAX * (this.#tookMs.get(step.name) ?? 0))
  }

  /** A step may call a bug caught only if it passes without it. Bugs that are hunted at once prove it once. */
  async #proveStep(step: Step): Promise<void> {
    const proof = this.#provenClean.get(step.name) ?? this.#lastProof.then(() => this.#prove(step))
    if (!this.#provenClean.has(step.name)) {
      this.#provenClean.set(step.name, proof)
      // The next one is tried all the same: what failed is told to whoever waits for it.
      this.#lastProof = proof.catch(() => {})
    }
    await proof
  }

  async #prove(step: Step): Promise<void> {
    this.#progress(`without a bug: ${step.name}`)
    this.#clean ??= copyTree(this.#root)
    const folder = await this.#clean
    const options = { signal: this.#signal, timeoutMs: PATIENCE * step.timeoutMs, endsWith: () => false }
    const startedAtMs = performance.now()
    // A second chance, so that a machine which was busy for a moment does not end the whole hunt.
    const first = await runStep(step, folder, options)
    const { passed, output } = first.passed ? first : await runStep(step, folder, options)
    if (!passed) throw new Error(`The step "${step.name}" fails without any planted bug:\n${output.slice(-4_000)}`)
    this.#tookMs.set(step.name, performance.now() - startedAtMs)
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

/** The names of the tests that failed; the step's own where it tells none. */
function failuresOf(step: Step, { failed }: Outcome): string[] {
  return failed.length === 0 ? [step.name] : failed.map(({ name }) => name)
}

/** Where its failures can be seen again; undefined where that is not known: a suite of many test files is a file of its own. */
function filesOf({ tests }: Step, { failed }: Outcome): readonly string[] | undefined {
  const files = [...new Set(failed.map(({ file }) => file))]
  return files.length > 0 && files.every((file) => tests?.includes(file)) ? files : undefined
}

function shownTest(step: Step, name: string): string {
  return name === step.name ? name : `${step.name}: ${name}`
}

/** A simulation reports as its last line which seeds failed. */
function failedSeeds(output: string): number[] {
  const line = output.split('\n').findLast((text) => text.startsWith('{"seeds":'))
  if (line === undefined) return []
  const report: { readonly failures?: ReadonlyArray<{ readonly seed: number }> } = JSON.parse(line)
  return (report.failures ?? []).map(({ seed }) => seed)
}

function shown(root: string, file: string): string {
  const path = relative(root, file)
  return path.startsWith('..') ? file : path
}
