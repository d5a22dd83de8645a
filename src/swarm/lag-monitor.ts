import type { Bus, Lag, Writer } from '../bus/index.ts'
import { type Clock, type Timer, UnsupportedError } from '../core/index.ts'
import { EventTeller } from './event-teller.ts'
import { DEFAULT_LAG_POLICY, type GroupLag, type LagPolicy, type LagSign, LagWatch } from './lag-watch.ts'
import { type SwarmEvent, swarmMessage } from './swarm-event.ts'
import { SWARM_TOPIC } from './topics.ts'

export interface LagMonitorOptions {
  readonly bus: Bus
  readonly clock: Clock
  /** How often lags are measured, ms. Default 1,000. */
  readonly everyMs?: number
  readonly policy?: Partial<LagPolicy>
  /** Called once per episode for a group that goes on lagging: restart its consumer, if you can. */
  readonly restart?: (stuck: GroupLag) => void
  readonly onError?: (error: unknown) => void
}

/** Watches the lag of every consumer group and tells `lagging`, `stuck` and `recovered` as events of the swarm. */
export class LagMonitor {
  readonly #options: LagMonitorOptions
  readonly #watch: LagWatch
  readonly #writer: Writer
  readonly #teller: EventTeller
  readonly #withoutLag = new Set<string>()
  #timer: Timer | undefined
  #measuring: Promise<void> = Promise.resolve()
  #closed = false

  /** The topic of swarm events must be open. */
  constructor(options: LagMonitorOptions) {
    this.#options = options
    this.#watch = new LagWatch({ ...DEFAULT_LAG_POLICY, ...options.policy })
    this.#writer = options.bus.writer(SWARM_TOPIC)
    const onError = (error: unknown) => options.onError?.(error)
    this.#teller = new EventTeller({ writer: this.#writer, clock: options.clock, onError })
    this.#schedule()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#timer?.cancel()
    await this.#measuring
    this.#teller.close()
    await this.#writer.close()
  }

  #schedule(): void {
    if (this.#closed) return
    this.#timer = this.#options.clock.setTimer(() => {
      this.#measuring = this.#measure()
        .catch((error) => {
          if (!this.#closed) this.#options.onError?.(error)
        })
        .finally(() => this.#schedule())
    }, this.#options.everyMs ?? 1_000)
  }

  async #measure(): Promise<void> {
    const { admin } = this.#options.bus
    const lags: Lag[] = []
    for (const topic of await admin.listTopics()) lags.push(...(await this.#lagOf(topic)))
    const signs = this.#watch.measured(worstOfGroups(lags), this.#options.clock.monotonicMs())
    this.#teller.tell(signs.map((sign) => this.#message(sign)))
    for (const sign of signs) if (sign.kind === 'stuck') this.#options.restart?.(sign)
  }

  /** A topic that stores nothing has no lag; it stays so until it is made anew, under whatever name. */
  async #lagOf(topic: string): Promise<readonly Lag[]> {
    if (this.#withoutLag.has(topic)) return []
    try {
      return await this.#options.bus.admin.lag(topic)
    } catch (error) {
      if (!(error instanceof UnsupportedError)) throw error
      this.#withoutLag.add(topic)
      return []
    }
  }

  #message({ kind, topic, group, seconds, messages }: LagSign) {
    const atMs = this.#options.clock.nowMs()
    const event: SwarmEvent = { kind, atMs, topic, group, lagSeconds: seconds, lagMessages: messages }
    return swarmMessage(event, `lag-${topic}-${group}-${kind}-${atMs}`, undefined)
  }
}

/** One line per topic and group: the worst partition's seconds, all messages. Groups without a clock are left out. */
function worstOfGroups(lags: readonly Lag[]): readonly GroupLag[] {
  const groups = new Map<string, GroupLag>()
  for (const { topic, group, messages, seconds } of lags) {
    if (group === undefined) continue
    const name = `${topic} ${group}`
    const known = groups.get(name) ?? { topic, group, seconds: 0, messages: 0 }
    const worst = Math.max(known.seconds, seconds ?? 0)
    groups.set(name, { topic, group, seconds: worst, messages: known.messages + messages })
  }
  return [...groups.values()]
}
