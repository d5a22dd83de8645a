import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { systemClock, systemDisk } from '../../../src/core/system/index.ts'
import { openLog } from '../../../src/log/index.ts'
import { judge } from '../log/judge.ts'
import { LogLedger } from '../log/log-ledger.ts'
import { readBack } from '../log/read-back.ts'
import type { AppenderLine } from './appender-process.ts'
import type { SyscallCase } from './case.ts'

const PROCESS = fileURLToPath(new URL('./appender-process.ts', import.meta.url))

const SAMPLE = [
  ...[1, 2, 3, 4, 6, 9].map((nth) => ({ call: 'fdatasync', errno: 'EIO', when: `${nth}` })),
  { call: 'fdatasync', errno: 'EIO', when: '5+' },
  ...[2, 3, 5, 8].map((nth) => ({ call: 'pwrite64', errno: 'ENOSPC', when: `${nth}` })),
  { call: 'pwrite64', errno: 'EIO', when: '4' },
  { call: 'pwrite64', errno: 'ENOSPC', when: '6+' },
  ...[2, 3].map((nth) => ({ call: 'fsync', errno: 'EIO', when: `${nth}` })),
  { call: 'rename', errno: 'ENOSPC', when: '2' },
]

/** A case in a real process. */
export interface TracedCase extends SyscallCase {
  /** Calls that strace made to fail, by its own record. */
  readonly injected: number
}

/** A sample of failures in real processes on the real disk, by strace. Fewer when fewer cases are asked for, none where the machine has no strace. */
export async function* tracedCases(casesMax: number | undefined): AsyncGenerator<TracedCase> {
  if (spawnSync('strace', ['--version']).status !== 0) {
    console.error('crash syscalls: strace is not here; real processes are left out')
    return
  }
  const step = casesMax === undefined ? 1 : Math.max(1, Math.floor(400 / casesMax))
  for (let at = 0; at < SAMPLE.length; at += step) {
    const plan = SAMPLE[at]!
    const directory = mkdtempSync(join(tmpdir(), 'skein-syscalls-'))
    try {
      yield await tracedCase(plan, directory)
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  }
}

async function tracedCase(
  plan: { readonly call: string; readonly errno: string; readonly when: string },
  parent: string,
): Promise<TracedCase> {
  const directory = join(parent, 'log')
  const record = join(parent, 'trace')
  const inject = `inject=${plan.call}:error=${plan.errno}:when=${plan.when}`
  const args = ['-f', '-qqq', '-e', `trace=${plan.call}`, '-e', inject, '-o', record]
  const { lines, exitCode } = await runProcess('strace', [...args, process.execPath, PROCESS, directory])
  const ledger = new LogLedger()
  const notes: string[] = []
  for (const line of lines) {
    if (line.kind === 'attempt') ledger.resume(line.attempt)
    else if (line.kind === 'untyped') notes.push(line.message)
  }
  if (exitCode !== 0) notes.push(`the process ended with ${exitCode}`)
  if (!lines.some((line) => line.kind === 'end')) notes.push('the process did not come to its end')
  const log = await openLog({ disk: systemDisk(), clock: systemClock, directory })
  const verdict = judge(ledger, await readBack(log))
  await log.close()
  const silent = notes.length + verdict.silent
  return {
    call: plan.call,
    what: JSON.stringify(plan),
    silent,
    lost: verdict.lost,
    injected: countInjected(readFileSync(record, 'utf8')),
    notes: [...notes, ...verdict.notes],
  }
}

/** strace marks each call that it made to fail. */
function countInjected(trace: string): number {
  return trace.split('\n').filter((line) => line.endsWith('(INJECTED)')).length
}

async function runProcess(
  command: string,
  args: readonly string[],
): Promise<{ readonly lines: AppenderLine[]; readonly exitCode: number | null }> {
  // System calls are counted per thread: with one thread for files, all of them are counted together.
  const env = { ...process.env, UV_THREADPOOL_SIZE: '1' }
  const child = spawn(command, [...args], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  const lines = output.split('\n').filter((line) => line !== '')
  return { lines: lines.map((line) => JSON.parse(line) as AppenderLine), exitCode }
}
