import type { Requests } from '../bus/index.ts'
import type { NodeTime } from '../channel/index.ts'
import type { Clock, Timer } from '../core/index.ts'
import { askNode } from './ask-node.ts'
import { momentOf, NodeTimeEstimate } from './node-time.ts'
import { TIME_REQUEST } from './topics.ts'

const EVERY_MS = 5_000
const RETRY_MS = 500
const TIMEOUT_MS = 2_000

/** Keeps an estimate of node time for one who is no agent: a controller that sends commands with deadlines. */
export class NodeTimeKeeper implements NodeTime {
  readonly #requests: Requests
  readonly #clock: Clock
  readonly #estimate: NodeTimeEstimate
  readonly #stop = new AbortController()
  #timer: Timer | undefined

  constructor(requests: Requests, clock: Clock) {
    this.#requests = requests
    this.#clock = clock
    this.#estimate = new NodeTimeEstimate(clock)
  }

  /** One exchange now, and one every few seconds from then on. Rejects with `no-responder` without a node. */
  async start(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await this.#exchange(options.signal)
    this.#schedule(EVERY_MS)
  }

  latestMs(): number | undefined {
    return this.#estimate.latestMs()
  }

  earliestMs(): number | undefined {
    return this.#estimate.earliestMs()
  }

  close(): void {
    this.#stop.abort()
    this.#timer?.cancel()
  }

  async #exchange(signal = this.#stop.signal): Promise<void> {
    const askedAt = momentOf(this.#clock)
    const question = { subject: TIME_REQUEST, body: {} }
    const { nowMs } = await askNode<{ nowMs: number }>(this.#requests, question, { timeoutMs: TIMEOUT_MS, signal })
    this.#estimate.exchanged(nowMs, askedAt)
  }

  #schedule(delayMs: number): void {
    if (this.#stop.signal.aborted) return
    this.#timer = this.#clock.setTimer(() => {
      this.#exchange().then(
        () => this.#schedule(EVERY_MS),
        () => this.#schedule(RETRY_MS),
      )
    }, delayMs)
  }
}
