import type { Random } from '../src/core/index.ts'
import type { SimulatedEvents } from './simulated-events.ts'

/** What a network does to a message, by name; what happened is counted under the same names. */
export type NetworkFault = 'loss' | 'duplication' | 'reordering' | 'clog' | 'queue-full' | 'partition'

/** How a network behaves. Percentages are of messages. */
export interface NetworkConditions {
  readonly latencyMsMin: number
  readonly latencyMsMax: number
  readonly lossPercent: number
  readonly duplicationPercent: number
  /** A duplicate comes up to this much later, out of its order: perhaps from a term that is over. */
  readonly duplicationDelayMsMax: number
  /** Messages that may overtake, or be overtaken by, others of the same path. */
  readonly reorderingPercent: number
  /** Messages on their way on one path; more are dropped. */
  readonly queueMax: number
}

export const CALM_NETWORK: NetworkConditions = {
  latencyMsMin: 0.5,
  latencyMsMax: 5,
  lossPercent: 0,
  duplicationPercent: 0,
  duplicationDelayMsMax: 0,
  reorderingPercent: 0,
  queueMax: Number.POSITIVE_INFINITY,
}

export interface SimulatedNetworkOptions<Address, Message> {
  readonly events: SimulatedEvents
  readonly random: Random
  deliver(message: Message, path: { readonly from: Address; readonly to: Address }): void
  /** Told of every fault that touched a message. */
  readonly onFault?: (fault: NetworkFault) => void
}

interface Path {
  inFlight: number
  /** Nothing is delivered before. */
  cloggedUntilMs: number
  /** When the last message that keeps its place arrives. */
  lastAtMs: number
  /** Cuts that hold at the moment, so that overlapping partitions end one by one. */
  cuts: number
}

/**
 * Messages between addresses, with latency, loss, duplication, reordering, clogged and cut paths, and short queues. A
 * message that is on its way when its path is cut is lost. Conditions may change at any time.
 */
export class SimulatedNetwork<Address extends string | number, Message> {
  conditions: NetworkConditions = CALM_NETWORK
  readonly #options: SimulatedNetworkOptions<Address, Message>
  readonly #paths = new Map<string, Path>()

  constructor(options: SimulatedNetworkOptions<Address, Message>) {
    this.#options = options
  }

  /** `delayMs` comes on top of the latency: what takes long to send. */
  send(message: Message, way: { readonly from: Address; readonly to: Address; readonly delayMs?: number }): void {
    const path = this.#path(way.from, way.to)
    if (path.cuts > 0) this.#fault('partition')
    else if (this.#happens(this.conditions.lossPercent)) this.#fault('loss')
    else {
      this.#put(message, way, path)
      if (!this.#happens(this.conditions.duplicationPercent)) return
      this.#fault('duplication')
      const lateMs = this.#options.random.float() * this.conditions.duplicationDelayMsMax
      this.#put(message, { ...way, delayMs: (way.delayMs ?? 0) + lateMs }, path)
    }
  }

  /** Cuts one direction; the returned function takes this cut back, once. */
  cut(from: Address, to: Address): () => void {
    const path = this.#path(from, to)
    path.cuts += 1
    let isCut = true
    return () => {
      if (isCut) path.cuts -= 1
      isCut = false
    }
  }

  isCut(from: Address, to: Address): boolean {
    return this.#path(from, to).cuts > 0
  }

  /** What is sent waits on the path, and arrives in a burst at the end. */
  clog(way: { readonly from: Address; readonly to: Address; readonly durationMs: number }): void {
    const path = this.#path(way.from, way.to)
    path.cloggedUntilMs = Math.max(path.cloggedUntilMs, this.#options.events.nowMs + way.durationMs)
  }

  #put(
    message: Message,
    way: { readonly from: Address; readonly to: Address; readonly delayMs?: number },
    path: Path,
  ): void {
    if (path.inFlight >= this.conditions.queueMax) {
      this.#fault('queue-full')
      return
    }
    path.inFlight += 1
    this.#options.events.after(this.#delayMs(path) + (way.delayMs ?? 0), () => {
      path.inFlight -= 1
      if (path.cuts > 0) this.#fault('partition')
      else this.#options.deliver(message, way)
    })
  }

  #delayMs(path: Path): number {
    const { random, events } = this.#options
    const { latencyMsMin, latencyMsMax } = this.conditions
    const isClogged = path.cloggedUntilMs > events.nowMs
    if (isClogged) this.#fault('clog')
    const startMs = Math.max(events.nowMs, path.cloggedUntilMs)
    let atMs = startMs + latencyMsMin + random.float() * (latencyMsMax - latencyMsMin)
    if (this.#happens(this.conditions.reorderingPercent)) {
      this.#fault('reordering')
      return atMs + random.float() * 10 * latencyMsMax - events.nowMs
    }
    atMs = Math.max(atMs, path.lastAtMs)
    path.lastAtMs = atMs
    return atMs - events.nowMs
  }

  #path(from: Address, to: Address): Path {
    const key = `${from}>${to}`
    let path = this.#paths.get(key)
    if (path === undefined) {
      path = { inFlight: 0, cloggedUntilMs: 0, lastAtMs: 0, cuts: 0 }
      this.#paths.set(key, path)
    }
    return path
  }

  #happens(percent: number): boolean {
    return percent > 0 && this.#options.random.float() * 100 < percent
  }

  #fault(fault: NetworkFault): void {
    this.#options.onFault?.(fault)
  }
}
