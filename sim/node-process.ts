import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'

const COMMAND = join(dirname(dirname(fileURLToPath(import.meta.url))), 'bin', 'skein.mjs')
const READY_WITHIN_MS = 30_000
const STOPPED_WITHIN_MS = 15_000

/** A Skein node in a process of its own: `skein up`, as anyone starts it. */
export interface NodeProcess {
  readonly pid: number
  readonly url: string
  readonly port: number
  /** SIGKILL: nothing in it runs any more when this resolves. */
  kill(): Promise<void>
  /** SIGTERM, and SIGKILL if it does not drain in time; resolves to its exit code, null after SIGKILL. */
  stop(): Promise<number | null>
}

export interface NodeProcessOptions {
  readonly dataDirectory?: string
  /** For what a data directory and a port do not say. */
  readonly configFile?: string
  /** Default 0: the system chooses. A restarted node takes the port its clients know. */
  readonly port?: number
  /** Out of reach of the terminal's Ctrl-C, for who decides itself when the node stops. Default false. */
  readonly detached?: boolean
  /** Called as soon as the process exists, before it is ready: for who wants to kill it while it opens its log. */
  readonly onSpawn?: (child: ChildProcess) => void
}

/** Rejects with what the process wrote to standard error when it ends, or does not say it is ready, in time. */
export async function startNodeProcess(options: NodeProcessOptions): Promise<NodeProcess> {
  const { dataDirectory, configFile, port = 0 } = options
  const data = dataDirectory === undefined ? [] : ['--data', dataDirectory]
  const config = configFile === undefined ? [] : ['--config', configFile]
  const args = [COMMAND, 'up', ...data, ...config, '--port', String(port), '--json']
  const child = spawn(process.execPath, args, {
    // It watches the channel, and ends when whoever started it is gone, however that came about.
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    detached: options.detached ?? false,
  }) as ChildProcessByStdio<null, Readable, Readable>
  child.channel?.unref()
  options.onSpawn?.(child)
  const errors: string[] = []
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors.push(text)
    if (errors.length > 200) errors.shift()
  })
  const url = await readyUrl(child, errors)
  return {
    pid: child.pid!,
    url,
    port: Number(new URL(url).port),
    kill: () => end(child, 'SIGKILL').then(() => {}),
    stop: () => end(child, 'SIGTERM'),
  }
}

async function readyUrl(child: ChildProcess, errors: readonly string[]): Promise<string> {
  const lines = createInterface({ input: child.stdout! })
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    child.kill('SIGKILL')
  }, READY_WITHIN_MS)
  try {
    for await (const line of lines) {
      // Whatever else it might print must not fill the pipe.
      child.stdout!.resume()
      const { url } = JSON.parse(line) as { url?: string }
      // An error is the one line of a node that does not start.
      if (url === undefined) throw new Error(`The node did not start: ${line}`)
      return url
    }
  } finally {
    clearTimeout(timer)
  }
  const how = isLate ? `was not ready within ${READY_WITHIN_MS / 1_000} s and was stopped` : 'ended before it was ready'
  throw new Error(`The node ${how}: ${errors.join('').trim() || '(it said nothing)'}`)
}

async function end(child: ChildProcess, signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
  const ended = once(child, 'exit')
  child.kill(signal)
  const timer = setTimeout(() => child.kill('SIGKILL'), STOPPED_WITHIN_MS)
  await ended
  clearTimeout(timer)
  return child.exitCode
}
