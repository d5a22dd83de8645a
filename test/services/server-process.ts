import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { NodePlan, ServiceNode } from './service.ts'

const READY_WITHIN_MS = 60_000
const ASK_AGAIN_MS = 50
const GONE_WITHIN_MS = 20_000
const LOG_CHARACTERS = 2_000

/**
 * Turns into the server, after leaving a watcher that waits for the other end of descriptor 3 to close. That happens when
 * the process that started the server ends, however it ends; the watcher then kills the server's process group and deletes
 * its data.
 */
const GUARD = `
folder=$1; shift
{ cat <&3 >/dev/null 2>&1; rm -rf "$folder"; kill -KILL -$$; } 3<&3 &
exec "$@" 3<&-
`

export interface ServerProcessOptions {
  /** `guarded`: dies with this process, and \`folder\` with it. `left`: outlives this process. */
  readonly life: 'guarded' | 'left'
  /** Of the whole service: deleted when this process dies. */
  readonly folder: string
  /** Rejects while the server is not ready. */
  readonly ready: () => Promise<unknown>
}

/** A server of this machine, in a process group of its own. */
export class ServerProcess implements ServiceNode {
  readonly url: string
  readonly directory: string
  readonly #plan: NodePlan
  readonly #options: ServerProcessOptions
  #child: ChildProcess | undefined

  constructor(plan: NodePlan, options: ServerProcessOptions) {
    this.url = plan.url
    this.directory = plan.directory
    this.#plan = plan
    this.#options = options
  }

  get monitorUrl(): string {
    return this.#plan.monitorUrl ?? ''
  }

  get pid(): number | undefined {
    return this.#isDown ? undefined : this.#child?.pid
  }

  get #isDown(): boolean {
    return this.#child === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  get #log(): string {
    return `${this.directory}.log`
  }

  async start(): Promise<void> {
    await mkdir(this.directory, { recursive: true })
    await this.#plan.prepare?.()
    this.#spawn()
    try {
      await this.#untilReady()
    } catch (error) {
      const said = (await readFile(this.#log, 'utf8').catch(() => '')).slice(-LOG_CHARACTERS)
      await this.kill()
      throw new Error(`${(error as Error).message}\n${said}`, { cause: error })
    }
    if (this.#options.life === 'left') this.#child!.unref()
  }

  #spawn(): void {
    const { command, args, environment } = this.#plan
    const isGuarded = this.#options.life === 'guarded'
    const log = openSync(this.#log, 'a')
    const [program, words] = isGuarded
      ? ['sh', ['-c', GUARD, 'sh', this.#options.folder, command, ...args]]
      : [command, [...args]]
    this.#child = spawn(program, words, {
      detached: true,
      stdio: ['ignore', log, log, ...(isGuarded ? (['pipe'] as const) : [])],
      env: { ...process.env, ...environment },
      cwd: this.directory,
    })
    closeSync(log)
    this.#child.on('error', () => {})
    // A test that forgets to stop its server still ends: the guard does the rest.
    if (isGuarded) this.#unrefGuard(this.#child)
  }

  #unrefGuard(child: ChildProcess): void {
    const pipe = child.stdio[3] as import('node:net').Socket
    pipe.on('error', () => {})
    pipe.unref()
    child.unref()
  }

  async #untilReady(): Promise<void> {
    const withinMs = this.#plan.readyWithinMs ?? READY_WITHIN_MS
    const deadline = performance.now() + withinMs
    for (;;) {
      if (this.#isDown) throw new Error(`${this.url} ended before it was ready`)
      const problem = await this.#options.ready().then(
        () => undefined,
        (error: unknown) => error ?? new Error('not ready'),
      )
      if (problem === undefined) return
      if (performance.now() > deadline) {
        throw new Error(`${this.url} was not ready within ${withinMs / 1_000} s`, { cause: problem })
      }
      await delay(ASK_AGAIN_MS)
    }
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child
    if (child?.pid === undefined || this.#isDown) return
    const ended = once(child, 'exit')
    child.ref()
    killGroup(child.pid, signal)
    const timer = setTimeout(() => killGroup(child.pid!, 'SIGKILL'), GONE_WITHIN_MS)
    await ended
    clearTimeout(timer)
    // What the server itself started goes with it.
    killGroup(child.pid, 'SIGKILL')
    ;(child.stdio[3] as import('node:net').Socket | undefined)?.destroy()
  }

  async erase(): Promise<void> {
    if (!this.#isDown) throw new Error(`Cannot erase ${this.directory}: its server is running`)
    await rm(this.directory, { recursive: true, force: true })
  }
}

function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
