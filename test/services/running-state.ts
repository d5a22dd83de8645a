import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { cacheDirectory } from './cache-directory.ts'
import { runTool } from './run-tool.ts'

/** A service that `npm run services -- up` left running. */
export interface RunningService {
  readonly name: string
  readonly version: string
  readonly origin: 'docker' | 'machine'
  readonly urls: readonly string[]
  /** Of the machine. */
  readonly processes: readonly RunningProcess[]
  /** Deleted when it is taken down. */
  readonly directory?: string
  /** Of Docker Compose. */
  readonly project?: string
}

export interface RunningProcess {
  readonly pid: number
  /** As `ps` tells it: with the pid it names this process and no later one. */
  readonly startedAt: string
}

const FILE = 'services.json'

export async function readState(): Promise<RunningService[]> {
  const text = await readFile(join(cacheDirectory(), FILE), 'utf8').catch(() => '[]')
  return JSON.parse(text) as RunningService[]
}

export async function writeState(services: readonly RunningService[]): Promise<void> {
  const path = join(cacheDirectory(), FILE)
  await mkdir(dirname(path), { recursive: true })
  const draft = `${path}.${process.pid}`
  await writeFile(draft, `${JSON.stringify(services, null, 2)}\n`)
  await rename(draft, path)
}

/** Undefined when there is no such process. */
export async function processOf(pid: number): Promise<RunningProcess | undefined> {
  const startedAt = await runTool('ps', ['-o', 'lstart=', '-p', String(pid)]).then(
    (text) => text.trim(),
    () => '',
  )
  return startedAt === '' ? undefined : { pid, startedAt }
}

export async function isRunning({ pid, startedAt }: RunningProcess): Promise<boolean> {
  return (await processOf(pid))?.startedAt === startedAt
}
