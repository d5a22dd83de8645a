import { spawn } from 'node:child_process'

const OUTPUT_CHARACTERS_MAX = 4_000

export interface RunToolOptions {
  /** Added to this process's own. */
  readonly environment?: Readonly<Record<string, string>>
  readonly directory?: string
  /** Default: as long as it takes. */
  readonly withinMs?: number
}

/** Runs a program to its end; resolves to its standard output. Rejects with its last words when it fails or is not there. */
export async function runTool(command: string, args: readonly string[], options: RunToolOptions = {}): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.environment },
    ...(options.directory && { cwd: options.directory }),
    ...(options.withinMs && { timeout: options.withinMs, killSignal: 'SIGKILL' }),
  })
  let output = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-OUTPUT_CHARACTERS_MAX)
  })
  child.on('error', (error) => reject(new Error(`Cannot run ${command}: ${error.message}`, { cause: error })))
  child.on('close', (code, signal) => {
    if (code === 0) return resolve(output)
    const words = errors.trim() || output.slice(-OUTPUT_CHARACTERS_MAX).trim()
    reject(new Error(`${command} ${args.join(' ')} ended with ${signal ?? code}: ${words}`))
  })
  return promise
}
