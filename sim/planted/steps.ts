import { globSync } from 'node:fs'
import { join } from 'node:path'
import type { Step } from './hunt.ts'

const STEP_TIMEOUT_MS = 180_000

/**
 * The general harness: small variants of what proves the fabric. It is the same for every bug. The law of the house,
 * types and formatting are not in it: they would catch patches for how they look.
 */
export function harnessSteps(root: string): Step[] {
  return [
    tests(root, 'unit tests of the log', ['src/core', 'src/log'], ['src/log', 'src/core']),
    command('crash power', ['sim/crash.ts', 'power', '--rounds', '150'], ['src/log']),
    command('crash syscalls', ['sim/crash.ts', 'syscalls'], ['src/log']),
    command('crash flip', ['sim/crash.ts', 'flip'], ['src/log']),
    command('crash truncate', ['sim/crash.ts', 'truncate'], ['src/log']),
    command('conformance memory', ['sim/conformance.ts', 'memory'], ['src/bus']),
    command('conformance embedded', ['sim/conformance.ts', 'embedded'], ['src/bus']),
    command(
      'conformance remote',
      ['sim/conformance.ts', 'remote'],
      ['src/wire', 'src/bus/drivers/remote', 'src/gateway/websocket'],
    ),
    tests(root, 'unit tests of the bus', ['src/bus', 'src/wire'], ['src/bus', 'src/wire']),
    tests(
      root,
      'unit tests of channels',
      ['src/channel', 'src/schema', 'src/objects'],
      ['src/channel', 'src/schema', 'src/objects'],
    ),
    tests(root, 'unit tests of the swarm', ['src/swarm', 'src/fabric'], ['src/swarm', 'src/fabric']),
    tests(root, 'simulations', ['sim'], ['src/channel/command']),
    tests(
      root,
      'unit tests of gateways, node and command line',
      ['src/gateway', 'src/node', 'src/cli'],
      ['src/gateway', 'src/node', 'src/cli'],
    ),
  ].filter((step) => step !== undefined)
}

function command(name: string, args: readonly string[], covers: readonly string[]): Step {
  return { name, args, covers, timeoutMs: STEP_TIMEOUT_MS }
}

function tests(root: string, name: string, folders: readonly string[], covers: readonly string[]): Step | undefined {
  const files = folders
    .flatMap((folder) => globSync(`${folder}/**/*.test.ts`, { cwd: root }))
    .filter((file) => !file.startsWith(join('sim', 'planted')))
    .sort()
  if (files.length === 0) return undefined
  const options = ['--test', '--test-concurrency=2', '--test-timeout=60000', '--test-reporter=dot']
  return { name, args: [...options, ...files], covers, timeoutMs: STEP_TIMEOUT_MS }
}
