import { globSync } from 'node:fs'
import type { Step } from './run-step.ts'

/** A bug may make a test wait for ever: that counts as caught, but should not take all day. */
const TIMEOUTS_MS = { quick: { test: 30_000, step: 120_000 }, slow: { test: 180_000, step: 240_000 } }

/**
 * The general harness: small variants of what proves the fabric. It is the same for every bug. The law of the house,
 * types and formatting are not in it: they would catch patches for how they look.
 */
export function harnessSteps(root: string): Step[] {
  return [...SIMULATIONS, ...testSteps(testFiles(root))]
}

function testSteps(files: readonly string[]): Step[] {
  return STEPS.map(({ name, tests, without = [], covers, isSlow, scope }) => {
    const isIn = (file: string, prefixes: readonly string[]) => prefixes.some((prefix) => file.startsWith(prefix))
    const chosen = files.filter((file) => isIn(file, tests) && !isIn(file, without))
    if (chosen.length === 0) throw new Error(`The step "${name}" has no tests: its paths are ${tests.join(', ')}`)
    const { step, test } = isSlow === true ? TIMEOUTS_MS.slow : TIMEOUTS_MS.quick
    const args = [...TEST_OPTIONS, `--test-timeout=${test}`]
    const runsToItsEnd = isSlow === true
    return { name, args, tests: chosen, covers, timeoutMs: step, runsToItsEnd, ...(scope !== undefined && { scope }) }
  })
}

interface StepPlan {
  readonly name: string
  /** Beginnings of the paths of its tests. */
  readonly tests: readonly string[]
  /** Beginnings of paths of those that another step has, or that need servers of other people. */
  readonly without?: readonly string[]
  readonly covers: readonly string[]
  /** It starts processes, or plays thousands of rounds. */
  readonly isSlow?: boolean
  readonly scope?: readonly string[]
}

/** The pure core of Raft: nothing but its own tests and the simulator has anything to say about it. */
const RAFT = ['src/raft/']

/** What stands on the core; nothing below it does. */
const CONSENSUS = ['src/consensus/']

const SIMULATIONS: readonly Step[] = [
  {
    name: 'simulated Raft groups',
    args: ['sim/sim.ts', 'raft', '--seeds', '200', '--fail-fast', '--no-shrink', '--json'],
    covers: RAFT,
    timeoutMs: 600_000,
    scope: RAFT,
  },
]

const GROUPS_AND_TRANSFERS = ['raft', 'bridge', 'archive'].map((name) => `test/integration/cli/${name}`)

/** The quick ones first; those with real processes last. */
const STEPS: readonly StepPlan[] = [
  { name: 'groups under failures, rebalances, crashes, power losses', tests: ['sim/groups/'], covers: ['src/bus/'] },
  { name: 'commands under repeats, kills and delays', tests: ['sim/commands/'], covers: ['src/channel/command/'] },
  { name: 'unit tests of the log', tests: ['src/core/', 'src/log/', 'testing/'], covers: ['src/core/', 'src/log/'] },
  {
    name: 'the log under power loss, damage and failing calls',
    tests: ['sim/crash/log-crash'],
    covers: ['src/core/', 'src/log/'],
  },
  {
    name: 'unit tests of channels',
    tests: ['src/channel/', 'src/schema/', 'src/objects/'],
    covers: ['src/channel/', 'src/schema/', 'src/objects/'],
  },
  { name: 'commands and killed agents', tests: ['sim/crash/commands'], covers: ['src/channel/command/'], isSlow: true },
  {
    name: 'unit tests of bus and wire',
    tests: ['src/bus/', 'src/wire/'],
    covers: ['src/bus/', 'src/wire/', 'src/gateway/websocket/'],
  },
  { name: 'conformance of the embedded bus', tests: ['sim/conformance/embedded'], covers: ['src/bus/'] },
  {
    name: 'conformance of the remote bus',
    tests: ['sim/conformance/remote'],
    covers: ['src/wire/', 'src/bus/drivers/remote/', 'src/gateway/websocket/'],
  },
  {
    name: 'unit tests of swarm and fabric',
    tests: ['src/swarm/', 'src/fabric/', 'examples/'],
    covers: ['src/swarm/', 'src/fabric/'],
  },
  { name: 'unit tests of transfers', tests: ['src/transfer/'], covers: ['src/transfer/'] },
  { name: 'a bridge killed between its steps', tests: ['sim/crash/bridge'], covers: ['src/transfer/'], isSlow: true },
  {
    name: 'unit tests of gateways, node and command line',
    tests: ['src/gateway/', 'src/node/', 'src/cli/'],
    covers: ['src/gateway/', 'src/node/', 'src/cli/'],
  },
  {
    name: 'conformance of replicated logs',
    tests: ['sim/conformance/replicated-log.'],
    covers: [],
    isSlow: true,
    scope: CONSENSUS,
  },
  { name: 'unit tests and transcripts of Raft', tests: ['src/raft/', 'test/transcripts'], covers: [], scope: RAFT },
  { name: 'Raft members, simulated', tests: ['src/consensus/'], covers: CONSENSUS, isSlow: true, scope: CONSENSUS },
  {
    name: 'Raft members over TCP',
    tests: ['test/integration/consensus/'],
    covers: [],
    isSlow: true,
    scope: CONSENSUS,
  },
  { name: 'Raft members, tormented', tests: ['sim/chaos/'], covers: [], isSlow: true, scope: CONSENSUS },
  {
    name: 'the command line and its nodes',
    tests: ['test/integration/cli/'],
    without: [...GROUPS_AND_TRANSFERS, 'test/integration/cli/brokers.'],
    covers: ['src/cli/', 'src/node/'],
    isSlow: true,
  },
  {
    name: 'nodes as a group, bridges and archives',
    tests: GROUPS_AND_TRANSFERS,
    covers: ['src/transfer/'],
    isSlow: true,
  },
  { name: 'a node killed under load', tests: ['sim/crash/kill'], covers: [], isSlow: true },
  { name: 'the whole swarm', tests: ['sim/swarm/'], covers: [], isSlow: true },
]

const TEST_OPTIONS = ['--test', '--test-concurrency=2']

function testFiles(root: string): string[] {
  return globSync('{src,testing,sim,examples,test}/**/*.test.ts', { cwd: root }).sort()
}
