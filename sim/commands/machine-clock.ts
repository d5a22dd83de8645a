import type { Clock, Timer } from '../../src/core/index.ts'

/** The clock of one machine in a simulated world. The machine can sleep: its monotonic clock and its timers stand still. */
export class MachineClock implements Clock {
  readonly #world: Clock
  #missedMs = 0
  #asleepSinceMs: number | undefined
  #whenAwake: Array<() => void> = []

  constructor(world: Clock) {
    this.#world = world
  }

  get isAsleep(): boolean {
    return this.#asleepSinceMs !== undefined
  }

  nowMs(): number {
    return this.#world.nowMs()
  }

  monotonicMs(): number {
    return (this.#asleepSinceMs ?? this.#world.monotonicMs()) - this.#missedMs
  }

  missedMs(): number {
    return this.#missedMs
  }

  fallAsleep(): void {
    this.#asleepSinceMs ??= this.#world.monotonicMs()
  }

  wakeUp(): void {
    if (this.#asleepSinceMs === undefined) return
    this.#missedMs += this.#world.monotonicMs() - this.#asleepSinceMs
    this.#asleepSinceMs = undefined
    for (const go of this.#whenAwake.splice(0)) go()
  }

  /** What reaches a sleeping machine is looked at when it wakes up. */
  awake(): Promise<void> {
    return new Promise((resolve) => this.#onceAwake(resolve))
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    const dueMs = this.monotonicMs() + delayMs
    let isOver = false
    let timer: Timer
    const arm = () => {
      if (isOver) return
      timer = this.#world.setTimer(() => this.#onceAwake(ring), Math.max(0, dueMs - this.monotonicMs()))
    }
    const ring = () => {
      if (this.monotonicMs() < dueMs) arm()
      else if (!isOver) callback()
    }
    arm()
    return {
      cancel: () => {
        isOver = true
        timer.cancel()
      },
    }
  }

  setImmediate(callback: () => void): void {
    this.#world.setImmediate(() => this.#onceAwake(callback))
  }

  sleep(delayMs: number, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const { signal } = options
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const onAbort = () => {
        timer.cancel()
        reject(signal?.reason)
      }
      const timer = this.setTimer(() => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }, delayMs)
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  #onceAwake(go: () => void): void {
    if (this.isAsleep) this.#whenAwake.push(go)
    else go()
  }
}
