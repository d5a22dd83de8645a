export interface LagPolicy {
  /** Lag of a group, in seconds, from which on it counts as lagging. Default 5. */
  readonly laggingSeconds: number
  /** Lag below which it has recovered: less than `laggingSeconds`, so that it does not flicker. Default 1. */
  readonly recoveredSeconds: number
  /** How long a group must go on lagging before the restart policy is called, once per episode, ms. Default 30,000. */
  readonly restartAfterMs: number
}

export const DEFAULT_LAG_POLICY: LagPolicy = { laggingSeconds: 5, recoveredSeconds: 1, restartAfterMs: 30_000 }

/** The lag of one group on one topic: the worst of its partitions in seconds, the sum in messages. */
export interface GroupLag {
  readonly topic: string
  readonly group: string
  readonly seconds: number
  readonly messages: number
}

export interface LagSign extends GroupLag {
  readonly kind: 'lagging' | 'recovered' | 'stuck'
}

interface Episode {
  readonly sinceMs: number
  stuck: boolean
  last: GroupLag
}

/** Turns measured lags into signs, as a state machine without a clock: lagging once, stuck once, recovered once. */
export class LagWatch {
  readonly #policy: LagPolicy
  readonly #episodes = new Map<string, Episode>()

  constructor(policy: LagPolicy) {
    this.#policy = policy
  }

  /** Takes one whole round of measurements; a group that is not in it any more has nothing left to lag. */
  measured(lags: readonly GroupLag[], nowMs: number): readonly LagSign[] {
    const signs: LagSign[] = []
    const present = new Set<string>()
    for (const lag of lags) {
      const name = `${lag.topic} ${lag.group}`
      present.add(name)
      const sign = this.#judge(name, lag, nowMs)
      if (sign !== undefined) signs.push({ ...lag, kind: sign })
    }
    for (const [name, episode] of this.#episodes) {
      if (present.has(name)) continue
      this.#episodes.delete(name)
      signs.push({ ...episode.last, seconds: 0, messages: 0, kind: 'recovered' })
    }
    return signs
  }

  #judge(name: string, lag: GroupLag, nowMs: number): LagSign['kind'] | undefined {
    const episode = this.#episodes.get(name)
    if (!episode) {
      if (lag.seconds <= this.#policy.laggingSeconds) return undefined
      this.#episodes.set(name, { sinceMs: nowMs, stuck: false, last: lag })
      return 'lagging'
    }
    episode.last = lag
    if (lag.seconds < this.#policy.recoveredSeconds) {
      this.#episodes.delete(name)
      return 'recovered'
    }
    if (episode.stuck || nowMs - episode.sinceMs < this.#policy.restartAfterMs) return undefined
    episode.stuck = true
    return 'stuck'
  }
}
