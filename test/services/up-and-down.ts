import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { cacheDirectory } from './cache-directory.ts'
import { hasEngine, startInCompose, stopCompose } from './compose.ts'
import { serviceKind } from './kinds.ts'
import { startOnMachine } from './machine-service.ts'
import {
  isRunning,
  processOf,
  type RunningProcess,
  type RunningService,
  readState,
  writeState,
} from './running-state.ts'
import type { ServiceKind } from './service.ts'

const GONE_WITHIN_MS = 20_000
const LOOK_AGAIN_MS = 100

export type Say = (text: string) => void

/** What can be fetched beforehand, so that no test waits for it. */
export async function installService(name: string, say: Say): Promise<void> {
  const kind = serviceKind(name)
  if (kind.compose !== undefined && (await hasEngine())) return
  await kind.install({ cacheDirectory: cacheDirectory(), say })
}

/** Starts the service unless it is running already; it outlives this process. */
export async function bringUp(name: string, say: Say): Promise<RunningService> {
  const found = (await readState()).find((one) => one.name === name)
  if (found !== undefined && (await isUp(found))) return found
  if (found !== undefined) await takeDown(name)
  say(`${name}: starting`)
  const started = await start(serviceKind(name), say)
  await writeState([...(await readState()).filter((one) => one.name !== name), started])
  return started
}

async function start(kind: ServiceKind, say: Say): Promise<RunningService> {
  if (kind.compose !== undefined && (await hasEngine())) {
    const { name, version, urls, project } = await startInCompose(kind, { life: 'left' })
    return { name, version, origin: 'docker', urls, processes: [], project }
  }
  const installed = await kind.install({ cacheDirectory: cacheDirectory(), say })
  const service = await startOnMachine(kind, { installed, life: 'left' })
  const processes: RunningProcess[] = []
  for (const { pid } of service.nodes) {
    const found = pid === undefined ? undefined : await processOf(pid)
    if (found !== undefined) processes.push(found)
  }
  const { name, version, urls } = service
  return { name, version, origin: 'machine', urls, processes, directory: dirname(service.nodes[0]!.directory) }
}

/** Whether it still answers. */
export async function isUp(service: RunningService): Promise<boolean> {
  for (const one of service.processes) if (!(await isRunning(one))) return false
  return serviceKind(service.name)
    .version(service.urls[0]!)
    .then(
      () => true,
      () => false,
    )
}

/** Ends the service and deletes its data; false when it was not up. */
export async function takeDown(name: string): Promise<boolean> {
  const state = await readState()
  const found = state.find((one) => one.name === name)
  if (found === undefined) return false
  for (const one of found.processes) await endProcess(one)
  if (found.project !== undefined) await stopCompose(found.project)
  if (found.directory !== undefined) await rm(found.directory, { recursive: true, force: true, maxRetries: 5 })
  await writeState(state.filter((one) => one.name !== name))
  return true
}

async function endProcess(target: RunningProcess): Promise<void> {
  const deadline = performance.now() + GONE_WITHIN_MS
  if (await isRunning(target)) process.kill(-target.pid, 'SIGTERM')
  while (await isRunning(target)) {
    if (performance.now() > deadline) process.kill(-target.pid, 'SIGKILL')
    await delay(LOOK_AGAIN_MS)
  }
  killRest(target.pid)
}

/** What the server had started is in its group still. */
function killRest(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
