import type { Bus, Delivery, Lag, Reader } from '../../src/bus/index.ts'
import { SkeinError } from '../../src/core/index.ts'
import { systemClock } from '../../src/core/system/index.ts'
import type { AgentRow, ViewState } from './view.ts'

const LAG_EVERY_MS = 500
const NEWS_KEPT = 50
const LIVENESS: Readonly<Record<string, string>> = {
  joined: 'alive',
  back: 'alive',
  suspect: 'suspect',
  lost: 'lost',
  left: 'left',
}

interface SwarmNews {
  readonly kind: string
  readonly agentId?: string
  readonly type?: string
  readonly region?: string
  readonly epoch?: number
}

/** Watches a running swarm through readers of its own, for the view; the summary does not come from here. */
export class Observer {
  readonly #bus: Bus
  readonly #url: string
  readonly #startedAtMs = systemClock.monotonicMs()
  readonly #topics: readonly string[]
  readonly #groups: readonly string[]
  readonly #agents = new Map<string, AgentRow>()
  readonly #counts = new Map<string, number>()
  readonly #rates = new Map<string, number>()
  readonly #outcomes = new Map<string, number>()
  readonly #news: string[] = []
  #lags: ViewState['lags'] = []
  readonly #stop = new AbortController()
  readonly #running: Array<Promise<void>> = []

  constructor(
    bus: Bus,
    options: { readonly url: string; readonly topics: readonly string[]; readonly groups: readonly string[] },
  ) {
    this.#bus = bus
    this.#url = options.url
    this.#topics = options.topics
    this.#groups = options.groups
  }

  start(): void {
    for (const topic of this.#topics) {
      this.#watch(this.#bus.reader(topic, { mode: 'broadcast', from: 'latest' }), () => {
        this.#counts.set(topic, (this.#counts.get(topic) ?? 0) + 1)
      })
    }
    this.#watch(this.#bus.reader('skein.swarm', { mode: 'broadcast', from: 'earliest' }), (text) =>
      this.#hear(JSON.parse(text)),
    )
    this.#watch(this.#bus.reader('skein.outcomes', { mode: 'broadcast', from: 'earliest' }), (text) => {
      const { state } = JSON.parse(text) as { state: string }
      this.#outcomes.set(state, (this.#outcomes.get(state) ?? 0) + 1)
    })
    this.#running.push(this.#measure())
  }

  state(): ViewState {
    return {
      url: this.#url,
      elapsedSeconds: (systemClock.monotonicMs() - this.#startedAtMs) / 1_000,
      agents: [...this.#agents.values()].sort((left, right) => left.id.localeCompare(right.id)),
      rates: this.#rates,
      lags: this.#lags,
      outcomes: this.#outcomes,
      news: this.#news,
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#running)
  }

  tell(news: string): void {
    this.#news.push(`${((systemClock.monotonicMs() - this.#startedAtMs) / 1_000).toFixed(1).padStart(6)} s  ${news}`)
    if (this.#news.length > NEWS_KEPT) this.#news.shift()
  }

  #watch(reader: Reader, each: (text: string, delivery: Delivery) => void): void {
    const signal = this.#stop.signal
    const loop = async () => {
      while (!signal.aborted) {
        const batch = await reader.read({ signal })
        for (const delivery of batch?.deliveries ?? []) each(delivery.text(), delivery)
        if (batch !== null) await reader.acknowledge(batch.last)
      }
    }
    this.#running.push(loop().catch((error) => this.#unlessStopped(error)))
  }

  #hear(news: SwarmNews): void {
    const { kind, agentId } = news
    if (agentId === undefined) return
    const known = this.#agents.get(agentId)
    this.#agents.set(agentId, {
      id: agentId,
      type: news.type ?? known?.type ?? '',
      region: news.region ?? known?.region ?? '',
      epoch: news.epoch ?? known?.epoch ?? 0,
      liveness: LIVENESS[kind] ?? known?.liveness ?? 'alive',
    })
    this.tell(`${agentId} ${kind}${kind === 'joined' ? ` with epoch ${news.epoch}` : ''}`)
  }

  async #measure(): Promise<void> {
    const { signal } = this.#stop
    let before = new Map(this.#counts)
    let beforeMs = systemClock.monotonicMs()
    try {
      while (!signal.aborted) {
        await systemClock.sleep(LAG_EVERY_MS, { signal })
        const nowMs = systemClock.monotonicMs()
        for (const topic of this.#topics) {
          const more = (this.#counts.get(topic) ?? 0) - (before.get(topic) ?? 0)
          this.#rates.set(topic, (more * 1_000) / (nowMs - beforeMs))
        }
        before = new Map(this.#counts)
        beforeMs = nowMs
        this.#lags = await Promise.all(this.#groups.map((group) => this.#lagOf(group)))
      }
    } catch (error) {
      this.#unlessStopped(error)
    }
  }

  async #lagOf(group: string): Promise<ViewState['lags'][number]> {
    const lags = (
      await Promise.all(this.#topics.map((topic) => this.#bus.admin.lag(topic, group).catch(noneYet)))
    ).flat()
    return {
      group,
      messages: lags.reduce((total, lag) => total + lag.messages, 0),
      seconds: Math.max(0, ...lags.map((lag) => lag.seconds ?? 0)),
    }
  }

  #unlessStopped(error: unknown): void {
    if (!this.#stop.signal.aborted) this.tell(`the view lost sight: ${error instanceof Error ? error.message : error}`)
  }
}

/** A group that has not begun to read a topic has no lag there. */
function noneYet(error: unknown): readonly Lag[] {
  if (error instanceof SkeinError && error.code === 'not-found') return []
  throw error
}
