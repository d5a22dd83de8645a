import { globSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseCommand } from './parse-command.ts'
import { type Bug, readBug } from './planted/bug.ts'
import { type Finding, Hunt } from './planted/hunt.ts'
import { harnessSteps } from './planted/steps.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
// npm runs scripts in the project's folder and tells where it was called.
const callerDirectory = process.env.INIT_CWD ?? process.cwd()
const HELP = `Plants bugs in production code, each in a copy of the tree, and shows that the unchanged harness catches them.

  npm run -s planted -- [group …] [--patch FILE …] [--jobs N] [--json]

  group          fabric, raft or consensus: the bugs of sim/planted that begin with "Group: …"; default: all
  --patch FILE   a patch of your own to files below src/ instead, any number of times
  --jobs N       bugs that are hunted at once; default: the number of processors
  --help         this

What a bug touches decides which parts of the harness look at it. The report is the last line of standard output. Exit codes:
0 all were caught; 1 one lives; 2 a patch cannot be planted, or the harness fails without one.

  npm run -s planted -- raft --json
  npm run -s planted -- --patch my-bug.patch --json`

const { values, positionals: groups } = parseCommand(HELP, {
  patch: { type: 'string', multiple: true, default: [] },
  jobs: { type: 'string', default: String(availableParallelism()) },
})

function progress(text: string): void {
  console.error(`planted: ${text}`)
}

function chosenBugs(): Bug[] {
  if (values.patch.length > 0) return values.patch.map((file) => readBug(resolve(callerDirectory, file)))
  const all = globSync('sim/planted/**/*.patch', { cwd: root })
    .sort()
    .map((file) => readBug(join(root, file)))
  const chosen = all.filter((bug) => groups.length === 0 || groups.includes(bug.group))
  if (chosen.length > 0) return chosen
  throw new Error(
    `No planted bug is in ${groups.join(', ')}; the groups are ${[...new Set(all.map((bug) => bug.group))].join(', ')}`,
  )
}

const stop = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => stop.abort(new Error(`stopped by ${name}`)))

const findings: Finding[] = []

function jobCount(): number {
  const jobs = Number(values.jobs)
  if (Number.isInteger(jobs) && jobs > 0) return jobs
  throw new Error(`Cannot hunt "${values.jobs}" bugs at once: --jobs is a number of 1 or more`)
}

/** Takes the next bug until there is none, or another hunter failed. */
async function catchAll(hunt: Hunt, bugs: readonly Bug[], jobs: number): Promise<void> {
  const left = [...bugs]
  const hunter = async () => {
    for (let bug = left.shift(); bug !== undefined; bug = left.shift()) {
      const finding = await hunt.catchBug(bug)
      progress(`${bug.name}: ${finding.caughtBy === null ? 'NOT CAUGHT' : `caught by ${finding.caughtBy}`}`)
      findings.push(finding)
    }
  }
  const results = await Promise.allSettled(
    Array.from({ length: jobs }, () =>
      hunter().catch((error: unknown) => {
        left.length = 0
        throw error
      }),
    ),
  )
  for (const result of results) if (result.status === 'rejected') throw result.reason
}

async function main(): Promise<number> {
  const bugs = chosenBugs()
  const jobs = jobCount()
  const hunt = new Hunt(root, harnessSteps(root), { progress, signal: stop.signal })
  try {
    // For somebody's own patch it is enough that the step which fails with it passes without it.
    if (values.patch.length === 0) await hunt.proveClean(bugs)
    await catchAll(hunt, bugs, jobs)
  } finally {
    await hunt.close()
  }
  const caught = caughtOf(findings)
  console.log(JSON.stringify({ planted: bugs.length, caught, bugs: findings }))
  return caught === bugs.length ? 0 : 1
}

function caughtOf(found: readonly Finding[]): number {
  return found.filter((finding) => finding.caughtBy !== null).length
}

try {
  process.exitCode = await main()
} catch (error) {
  const message = error instanceof Error ? error.message : String(error)
  console.error(`planted: ${message}`)
  // What was found by then is told all the same; what was not tried is no catch.
  console.log(JSON.stringify({ planted: findings.length, caught: caughtOf(findings), bugs: findings, error: message }))
  process.exitCode = 2
}
