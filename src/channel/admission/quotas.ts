import { type Clock, SkeinError } from '../../core/index.ts'
import type { Admission, AdmissionRequest } from '../ports.ts'
import { TokenBucket } from './token-bucket.ts'

/** What one principal, agent or topic may publish. */
export interface Quota {
  readonly messagesPerSecond?: number
  readonly bytesPerSecond?: number
  /** Seconds' worth that may come at once. Default 1. */
  readonly burstSeconds?: number
}

/** A quota for each of a kind, and others for those that are named. */
export interface QuotaRules {
  readonly each?: Quota
  readonly named?: Readonly<Record<string, Quota>>
}

export interface QuotasOptions {
  readonly clock: Clock
  readonly principals?: QuotaRules
  readonly agents?: QuotaRules
  readonly topics?: QuotaRules
  /** Who would have to wait longer is refused. Default 1,000. */
  readonly delayMsMax?: number
}

const DELAY_MS_MAX = 1_000
const BUCKETS_MAX = 100_000

interface Buckets {
  readonly messages: TokenBucket | undefined
  readonly bytes: TokenBucket | undefined
}

const UNLIMITED: Buckets = { messages: undefined, bytes: undefined }

/** Quotas by token bucket on the handed clock: within the burst at once, then after a delay, then refused. */
export function quotas(options: QuotasOptions): Admission {
  return new Quotas(options)
}

class Quotas implements Admission {
  readonly #clock: Clock
  readonly #delayMsMax: number
  readonly #principals: QuotaTable
  readonly #agents: QuotaTable
  readonly #topics: QuotaTable

  constructor(options: QuotasOptions) {
    this.#clock = options.clock
    this.#delayMsMax = options.delayMsMax ?? DELAY_MS_MAX
    this.#principals = new QuotaTable(options.principals)
    this.#agents = new QuotaTable(options.agents)
    this.#topics = new QuotaTable(options.topics)
  }

  admit(request: AdmissionRequest): Promise<void> | undefined {
    const now = this.#clock.monotonicMs()
    const all = [
      this.#principals.of(request.principal, now),
      this.#agents.of(request.agent, now),
      this.#topics.of(request.topic, now),
    ]
    const delayMs = Math.max(...all.map((buckets) => delayOf(buckets, request, now)))
    if (delayMs > this.#delayMsMax) return Promise.reject(this.#refusal(request, delayMs))
    for (const buckets of all) {
      buckets.messages?.take(request.messages)
      buckets.bytes?.take(request.bytes)
    }
    return delayMs === 0 ? undefined : this.#clock.sleep(delayMs)
  }

  #refusal(request: AdmissionRequest, delayMs: number): SkeinError {
    const who = request.agent ?? request.principal ?? 'this publisher'
    const inMs = Math.ceil(delayMs)
    return new SkeinError(
      'quota-exceeded',
      `Cannot publish to ${request.topic}: ${who} is over quota, and there is room only in ${inMs} ms; publish slower`,
      { retryable: true, details: { topic: request.topic, agent: request.agent, retryAfterMs: inMs } },
    )
  }
}

function delayOf(buckets: Buckets, request: AdmissionRequest, nowMs: number): number {
  return Math.max(
    buckets.messages?.delayMs(request.messages, nowMs) ?? 0,
    buckets.bytes?.delayMs(request.bytes, nowMs) ?? 0,
  )
}

/** The buckets of one kind, made when first needed; full ones are forgotten when there are too many. */
class QuotaTable {
  readonly #rules: QuotaRules | undefined
  readonly #buckets = new Map<string, Buckets>()

  constructor(rules: QuotaRules | undefined) {
    this.#rules = rules
  }

  of(name: string | undefined, nowMs: number): Buckets {
    if (name === undefined || this.#rules === undefined) return UNLIMITED
    const known = this.#buckets.get(name)
    if (known !== undefined) return known
    const named = this.#rules.named
    const quota = named !== undefined && Object.hasOwn(named, name) ? named[name] : this.#rules.each
    if (quota === undefined) return UNLIMITED
    if (this.#buckets.size >= BUCKETS_MAX) this.#forgetFull(nowMs)
    const buckets = bucketsOf(quota, nowMs)
    this.#buckets.set(name, buckets)
    return buckets
  }

  #forgetFull(nowMs: number): void {
    for (const [name, { messages, bytes }] of this.#buckets) {
      if ((messages?.isFull(nowMs) ?? true) && (bytes?.isFull(nowMs) ?? true)) this.#buckets.delete(name)
    }
  }
}

function bucketsOf(quota: Quota, nowMs: number): Buckets {
  const seconds = quota.burstSeconds ?? 1
  const bucket = (perSecond: number | undefined) =>
    perSecond === undefined ? undefined : new TokenBucket({ perSecond, burst: perSecond * seconds }, nowMs)
  return { messages: bucket(quota.messagesPerSecond), bytes: bucket(quota.bytesPerSecond) }
}
