import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/** What a child is told on its command line. */
export interface ChildArguments {
  /** What it connects to: a node or a broker; or `config:` and the path of a file that names brokers. */
  readonly url: string
  /** Where its ledgers go. */
  readonly folder: string
  readonly [name: string]: string
}

/** A process of the swarm, as the one that started it sees it. */
export class Child {
  readonly type: string
  readonly #process: ChildProcess
  readonly #ended: Promise<unknown>
  readonly #errors: string[] = []

  constructor(type: string, module: string, childArguments: ChildArguments) {
    this.type = type
    const path = fileURLToPath(import.meta.resolve(module))
    this.#process = fork(path, [JSON.stringify(childArguments)], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      // Out of reach of the terminal's Ctrl-C, which would end it before it can say that its parent decides.
      detached: true,
    })
    this.#ended = once(this.#process, 'exit')
    this.#process.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#errors.push(text)
      if (this.#errors.length > 100) this.#errors.shift()
    })
  }

  get pid(): number {
    return this.#process.pid!
  }

  /** Resolves when the child says it is ready; rejects with its last words when it ends before, or with the signal. */
  async ready(signal?: AbortSignal): Promise<void> {
    const ended = this.#ended.then(() => Promise.reject(this.#failure('ended before it was ready')))
    await Promise.race([this.#said('ready', signal), ended])
  }

  /** Resolves to whether the child said it in time and before the signal. Rejects when it ends before. */
  async says(word: string, limits: { readonly withinMs: number; readonly signal: AbortSignal }): Promise<boolean> {
    const over = new AbortController()
    const signal = AbortSignal.any([over.signal, limits.signal])
    const ended = this.#ended.then(() => Promise.reject(this.#failure(`ended before it said "${word}"`)))
    const late = sleep(limits.withinMs, false, { signal }).catch(() => false)
    try {
      return await Promise.race([this.#said(word, over.signal).then(() => true), late, ended])
    } finally {
      over.abort()
    }
  }

  tell(word: string): void {
    if (this.#process.connected) this.#process.send(word)
  }

  /** Asks it to finish its work; resolves to false when that took longer than allowed. Rejects when it fails. */
  async finish(withinMs: number): Promise<boolean> {
    this.tell('finish')
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      this.#process.kill('SIGKILL')
    }, withinMs)
    await this.#ended
    clearTimeout(timer)
    if (!isLate && this.#process.exitCode !== 0) throw this.#failure('failed')
    return !isLate
  }

  /** Whether it ended, by itself or by whoever killed it, within the time. */
  async ended(withinMs: number): Promise<boolean> {
    const over = new AbortController()
    const late = sleep(withinMs, false, { signal: over.signal }).catch(() => false)
    const hasEnded = await Promise.race([this.#ended.then(() => true), late])
    over.abort()
    return hasEnded
  }

  async kill(): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.#ended
  }

  async #said(word: string, signal?: AbortSignal): Promise<void> {
    for (;;) {
      const [message] = await once(this.#process, 'message', signal === undefined ? {} : { signal })
      if (message === word) return
    }
  }

  #failure(what: string): Error {
    return new Error(`The ${this.type} process ${what}: ${this.#errors.join('').trim() || '(it said nothing)'}`)
  }
}
