import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** A process of the benchmark that does what it is asked, one thing after the other. */
export class Worker {
  readonly #child: ChildProcess

  constructor(file: URL) {
    this.#child = fork(fileURLToPath(file), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** Sends one request; the returned promise is its answer. */
  async ask<Answer>(request: object): Promise<Answer> {
    const ended = new AbortController()
    const answered = once(this.#child, 'message', { signal: ended.signal })
    const exited = once(this.#child, 'exit', { signal: ended.signal }).then(([code]) => {
      throw new Error(`A process of the benchmark ended with code ${code}`)
    })
    this.#child.send(request)
    try {
      const [message] = (await Promise.race([answered, exited])) as [Answer & { readonly failed?: string }]
      if (message.failed !== undefined) throw new Error(message.failed)
      return message
    } finally {
      answered.catch(() => {})
      exited.catch(() => {})
      ended.abort()
    }
  }

  stop(): void {
    if (this.#child.connected) this.#child.disconnect()
  }
}

/** The other side: answers every request with what the handler gives. */
export function serveRequests<Request, Answer extends object>(handler: (request: Request) => Promise<Answer>): void {
  process.on('message', (request: Request) => {
    handler(request).then(
      (answer) => process.send!(answer),
      (error: unknown) => process.send!({ failed: String(error instanceof Error ? error.stack : error) }),
    )
  })
  process.on('disconnect', () => process.exit())
}
