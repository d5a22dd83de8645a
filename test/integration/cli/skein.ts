import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { buffer } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { atEnd } from '../../at-end.ts'

const COMMAND = fileURLToPath(new URL('../../../bin/skein.mjs', import.meta.url))

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Starts `skein` as a process of its own, killed at the end of the test if it is still there. */
export function spawnSkein(
  t: TestContext,
  argv: readonly string[],
  { environment = {}, cwd }: { readonly environment?: NodeJS.ProcessEnv; readonly cwd?: string } = {},
): ChildProcess {
  const child = spawn(process.execPath, [COMMAND, ...argv], { cwd, env: { ...process.env, ...environment } })
  atEnd(t, async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  return child
}

/** Runs `skein` to its end. */
export async function skein(
  t: TestContext,
  argv: readonly string[],
  { input = '', environment = {} }: { input?: string | Uint8Array; environment?: NodeJS.ProcessEnv } = {},
): Promise<Ended> {
  const child = spawnSkein(t, argv, { environment })
  child.stdin!.end(input)
  const [stdout, stderr, [code]] = await Promise.all([
    buffer(child.stdout!),
    buffer(child.stderr!),
    once(child, 'exit'),
  ])
  return { code, stdout: stdout.toString(), stderr: stderr.toString() }
}

/** Runs `skein … --json` and gives the last line of its output. */
export async function skeinJson<Result>(t: TestContext, argv: readonly string[], input?: string): Promise<Result> {
  const ended = await skein(t, [...argv, '--json'], input === undefined ? {} : { input })
  assert.equal(ended.code, 0, `skein ${argv.join(' ')} exited with ${ended.code}: ${ended.stderr}`)
  return JSON.parse(ended.stdout.trimEnd().split('\n').at(-1)!)
}

export interface NodeUnderTest {
  readonly url: string
  readonly child: ChildProcess
  /** All of standard output so far. */
  readonly output: readonly string[]
  /** All of standard error so far. */
  errors(): string
  /** Sends the signal and resolves to the exit code, or to null when the signal ended it. */
  stop(signal: NodeJS.Signals): Promise<number | null>
}

export function startNode(
  t: TestContext,
  dataDirectory: string,
  more: readonly string[] = [],
  { port = 0 } = {},
): Promise<NodeUnderTest> {
  return startNodeWith(t, ['up', '--data', dataDirectory, '--port', String(port), '--json', ...more])
}

/** A node by a whole command, which has `--json`. */
export async function startNodeWith(
  t: TestContext,
  argv: readonly string[],
  { cwd }: { readonly cwd?: string } = {},
): Promise<NodeUnderTest> {
  const child = spawnSkein(t, argv, { ...(cwd !== undefined && { cwd }) })
  const output: string[] = []
  const errors: Buffer[] = []
  child.stderr!.on('data', (chunk) => errors.push(chunk))
  const lines = createInterface({ input: child.stdout! })
  lines.on('line', (line) => output.push(line))
  await Promise.race([once(lines, 'line'), once(child, 'exit')])
  assert.ok(output[0] !== undefined, `the node did not start: ${Buffer.concat(errors)}`)
  const { ready, url } = JSON.parse(output[0])
  assert.equal(ready, true, output[0])
  return {
    url,
    child,
    output,
    errors: () => Buffer.concat(errors).toString(),
    async stop(signal) {
      const exited = once(child, 'exit')
      child.kill(signal)
      const [code] = await exited
      return code
    },
  }
}

export async function temporaryDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'skein-cli-'))
  atEnd(t, () => rm(directory, { recursive: true, force: true }))
  return directory
}

/** A recording with the columns of the flights: `rows` rows of `agents` agents, some cells empty, some rows the same. */
export function recording({ rows, agents }: { rows: number; agents: number }): string {
  const lines = [
    't_s,agent_id,agent_type,region,recorded_at_ms,latitude,longitude,altitude_m,speed_mps,heading_deg,climb_mps',
  ]
  for (let row = 0; row < rows; row += 1) {
    const agent = (row * 7) % agents
    const climb = row % 5 === 0 ? '' : ((row % 30) - 15) / 4
    // Every tenth row repeats the one before: the same bytes are still two messages.
    const at = row % 10 === 9 ? row - agents : row
    lines.push(
      `${(at / 10).toFixed(1)},${(0x3e6500 + agent).toString(16)},glider,region_${agent % 3},${1558601548000 + at},` +
        `${(47 + (at % 1000) / 1000).toFixed(4)},${(8 + (at % 997) / 997).toFixed(4)},${at % 4000}.0,24.18,266.0,${climb}`,
    )
  }
  return `${lines.join('\n')}\n`
}
