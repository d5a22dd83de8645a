// Runs the tests: `unit` is what stands beside the source and the law of the house; `all` adds integration,
// simulations and examples. Further arguments are path prefixes: `npm run unit -- src/log`.
import { spawn, spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const UNIT = ['src', 'testing', 'test']
const ALL = [...UNIT, 'sim', 'bench', 'examples']
/** One test may take so long before it counts as hanging. */
const TEST_TIMEOUT_MS = { unit: 30_000, all: 120_000 }
/** Unit tests wait a good part of their time; beside real servers there is no room for more. */
const CONCURRENCY = { unit: 2 * availableParallelism(), all: 2 }

const [suite = '', ...prefixes] = process.argv.slice(2)
if (suite !== 'unit' && suite !== 'all') fail('Usage: node scripts/run-tests.mjs unit|all [path prefix …]')
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 24 || (major === 24 && minor < 6)) {
  fail(
    `The tests need Node 24.6 or later, this is ${process.version}. Run them by npm, which takes the one npm ci installed`,
  )
}

const files = (suite === 'unit' ? UNIT : ALL)
  .flatMap((folder) => testsIn(folder))
  .filter((file) => suite === 'all' || !file.startsWith('test/integration/'))
  .filter((file) => prefixes.length === 0 || prefixes.some((prefix) => file.startsWith(prefix)))
if (files.length === 0) fail(`No test matches ${prefixes.join(', ')}`)

// Servers that have to be fetched are fetched before any test's time runs; one that cannot be had is for its tests to say.
if (suite === 'all' && prefixes.length === 0) {
  const install = ['test/services/cli.ts', 'install']
  spawnSync(process.execPath, install, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })
}

const options = ['--test', `--test-concurrency=${CONCURRENCY[suite]}`, `--test-timeout=${TEST_TIMEOUT_MS[suite]}`]
// Each file is a process of its own that would strip and compile the same modules again: a third of the whole time.
const env = { NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'compiled'), ...process.env }
const child = spawn(process.execPath, [...options, ...files], { cwd: root, stdio: 'inherit', env })
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)))
// A terminal's Ctrl-C reaches the test runner by itself: wait for its report.
process.on('SIGINT', () => {})

function testsIn(folder) {
  try {
    return readdirSync(join(root, folder), { recursive: true })
      .map((name) => join(folder, name))
      .filter((file) => file.endsWith('.test.ts'))
      .sort()
  } catch (error) {
    if (error.code === 'ENOENT') return []
    throw error
  }
}

function fail(message) {
  console.error(message)
  process.exit(2)
}
