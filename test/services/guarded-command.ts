import { type ChildProcess, spawn } from 'node:child_process'
import type { Socket } from 'node:net'

/** A command that runs when this process dies, however it dies, unless it is dismissed before. */
export class GuardedCommand {
  readonly #child: ChildProcess

  constructor(command: string, args: readonly string[], directory: string) {
    this.#child = spawn('sh', ['-c', 'cat >/dev/null; exec "$@"', 'sh', command, ...args], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      cwd: directory,
    })
    const pipe = this.#child.stdin as Socket
    pipe.on('error', () => {})
    pipe.unref()
    this.#child.unref()
  }

  dismiss(): void {
    this.#child.kill('SIGKILL')
  }
}
