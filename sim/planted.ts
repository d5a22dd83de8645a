import { globSync } from 'node:fs'
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

  npm run -s planted -- [group …] [--patch FILE …] [--json]

  group          fabric, raft or consensus: the bugs of sim/planted that begin with "Group: …"; default: all
  --patch FILE   a patch of your own to files below src/ instead, any number of times
  --help         this

What a bug touches decides which parts of the harness look at it. The report is the last line of standard output. Exit codes:
0 all were caught; 1 one lives; 2 a patch cannot be planted, or the harness fails without one.

  npm run -s planted -- raft --json
  npm run -s planted -- --patch my-bug.patch --json`

const { values, positionals: groups } = parseCommand(HELP, {
  patch: { type: 'string', multiple: true, default: [] },
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

async function main(): Promise<number> {
  const bugs = chosenBugs()
  const hunt = new Hunt(root, harnessSteps(root), { progress, signal: stop.signal })
  try {
    // For somebody's own patch it is enough that the step which fails with it passes without it.
    if (values.patch.length === 0) await hunt.proveClean(bugs)
    for (const bug of bugs) {
      const finding = await hunt.catchBug(bug)
      progress(`${bug.name}: ${finding.caughtBy === null ? 'NOT CAUGHT' : `caught by ${finding.caughtBy}`}`)
      findings.push(finding)
    }
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
