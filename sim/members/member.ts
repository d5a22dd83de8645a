import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Control, MemberReady, MemberSpec, MemberStatus } from './member-spec.ts'

const PROGRAM = fileURLToPath(new URL('./member-process.ts', import.meta.url))
const ANSWER_WITHIN_MS = 30_000

/** `Omit` would lose which of them it is. */
type Without<Whole, Key extends PropertyKey> = Whole extends unknown ? Omit<Whole, Key> : never

interface Call {
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: Error) => void
}

/** A member of a Raft group in a process of its own, as the one who torments it sees it. */
export class Member {
  readonly id: number
  readonly clientPort: number
  readonly #child: ChildProcess
  readonly #calls = new Map<number, Call>()
  #count = 0
  #isPaused = false

  private constructor(child: ChildProcess, id: number, { clientPort }: MemberReady) {
    this.id = id
    this.clientPort = clientPort
    this.#child = child
    child.on('message', (said: { readonly call: number; readonly answer?: unknown; readonly failed?: string }) => {
      const call = this.#calls.get(said.call)
      this.#calls.delete(said.call)
      if (said.failed === undefined) call?.resolve(said.answer)
      else call?.reject(new Error(`Member ${id}: ${said.failed}`))
    })
    // One that stands still would not notice that nobody is left.
    const end = () => child.kill('SIGKILL')
    process.on('exit', end)
    child.on('exit', () => {
      process.off('exit', end)
      for (const { reject } of this.#calls.values()) reject(new Error(`Member ${id} is gone`))
      this.#calls.clear()
    })
  }

  /** Resolves when it takes calls. Rejects when it ends before that. `execArgv`: for whoever profiles it. */
  static async start(spec: MemberSpec, { execArgv }: { readonly execArgv?: readonly string[] } = {}): Promise<Member> {
    const child = fork(PROGRAM, [JSON.stringify(spec)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      ...(execArgv && { execArgv: [...execArgv] }),
    })
    const over = new AbortController()
    const ready = once(child, 'message', { signal: over.signal })
    const ended = once(child, 'exit', { signal: over.signal }).then(([code, signal]) => {
      throw new Error(`Member ${spec.id} ended with ${signal ?? code} before it was ready`)
    })
    ready.catch(() => undefined)
    ended.catch(() => undefined)
    try {
      const [said] = (await Promise.race([ready, ended])) as [MemberReady]
      return new Member(child, spec.id, said)
    } finally {
      over.abort()
    }
  }

  get pid(): number {
    return this.#child.pid!
  }

  get isUp(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  status(): Promise<MemberStatus> {
    return this.#ask({ status: true }) as Promise<MemberStatus>
  }

  audit<Audit>(): Promise<Audit> {
    return this.#ask({ audit: true }) as Promise<Audit>
  }

  async shiftClock(clockOffsetMs: number): Promise<void> {
    await this.#ask({ clockOffsetMs })
  }

  async fillDisk(isDiskFull: boolean): Promise<void> {
    await this.#ask({ isDiskFull })
  }

  async slowSyncs(syncDelayMs: number): Promise<void> {
    await this.#ask({ syncDelayMs })
  }

  #ask(control: Without<Control, 'call'>): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    if (!this.isUp) return Promise.reject(new Error(`Member ${this.id} is gone`))
    this.#count += 1
    const call = this.#count
    this.#calls.set(call, { resolve, reject })
    this.#child.send({ ...control, call })
    const timer = setTimeout(() => {
      if (this.#calls.delete(call)) reject(new Error(`Member ${this.id} does not answer`))
    }, ANSWER_WITHIN_MS)
    return promise.finally(() => clearTimeout(timer))
  }

  /** SIGSTOP: it does nothing, and its sockets stay open. */
  pause(): void {
    this.#child.kill('SIGSTOP')
    this.#isPaused = true
  }

  resume(): void {
    this.#child.kill('SIGCONT')
    this.#isPaused = false
  }

  /** SIGKILL. Resolves when nothing of it runs any more; fine when it has ended before. */
  async kill(): Promise<void> {
    if (!this.isUp) return
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await ended
  }

  /** It ends as a process that nobody wants any more, so that a profile of it is written. */
  async stop(): Promise<void> {
    if (!this.isUp) return
    const ended = once(this.#child, 'exit')
    this.#child.disconnect()
    await ended
  }
}
