import { type Clock, checkOptions, EachOption, type KeysOf, SkeinError } from '../../core/index.ts'
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

const QUOTA_KEYS: KeysOf<Quota> = { messagesPerSecond: true, bytesPerSecond: true, burstSeconds: true }
const RULES_KEYS: KeysOf<QuotaRules> = { each: QUOTA_KEYS, named: new EachOption(QUOTA_KEYS) }
const KEYS: KeysOf<QuotasOptions> = {
  clock: true,
  principals: RULES_KEYS,
  agents: RULES_KEYS,
  topics: RULES_KEYS,
  delayMsMax: true,
}

const DELAY_MS_MAX = 1_000
const BUCKETS_MAX = 100_000
/** Looking through so many takes a while. */
const FORGET_EVERY_MS = 1_000

interface Buckets {
  readonly messages: TokenBucket | undefined
  readonly bytes: TokenBucket | undefined
}

const UNLIMITED: Buckets = { messages: undefined, bytes: undefined }

/** What several publish with one batch is let through together, or not at all. */
export interface Quotas extends Admission {
  /** As `admit`, for all of them: a refusal takes nothing from anybody's. */
  admitAll(requests: readonly AdmissionRequest[]): Promise<void> | undefined
}

/** Quotas by token bucket on the handed clock: within the burst at once, then after a delay, then refused. */
export function quotas(options: QuotasOptions): Quotas {
  checkOptions('use these quotas', options, KEYS)
  return new BucketQuotas(options)
}

class BucketQuotas implements Quotas {
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
    return this.admitAll([request])
  }

  admitAll(requests: readonly AdmissionRequest[]): Promise<void> | undefined {
    const now = this.#clock.monotonicMs()
    const wanted = new Map<TokenBucket, number>()
    let delayMs = 0
    let slowest: AdmissionRequest | undefined
    for (const request of requests) {
      const requestDelayMs = this.#want(wanted, request, now)
      if (requestDelayMs > delayMs) slowest = request
      delayMs = Math.max(delayMs, requestDelayMs)
    }
    if (delayMs > this.#delayMsMax) return Promise.reject(this.#refusal(slowest!, { wanted, delayMs }))
    for (const [bucket, tokens] of wanted) bucket.take(tokens)
    return delayMs === 0 ? undefined : this.#clock.sleep(delayMs)
  }

  /** Adds what a request takes to what those before it take, and says how long that would be waited for. */
  #want(wanted: Map<TokenBucket, number>, request: AdmissionRequest, nowMs: number): number {
    let delayMs = 0
    const want = (bucket: TokenBucket | undefined, tokens: number) => {
      if (bucket === undefined) return
      const all = (wanted.get(bucket) ?? 0) + tokens
      wanted.set(bucket, all)
      delayMs = Math.max(delayMs, bucket.delayMs(all, nowMs))
    }
    const { principal, agent, topic, messages, bytes } = request
    for (const buckets of [
      this.#principals.of(principal, nowMs),
      this.#agents.of(agent, nowMs),
      this.#topics.of(topic, nowMs),
    ]) {
      want(buckets.messages, messages)
      want(buckets.bytes, bytes)
    }
    return delayMs
  }

  #refusal(
    { topic, agent, principal, messages, bytes }: AdmissionRequest,
    { wanted, delayMs }: { readonly wanted: ReadonlyMap<TokenBucket, number>; readonly delayMs: number },
  ): SkeinError {
    const who = agent ?? principal ?? 'this publisher'
    const details = { topic, agent, principal }
    // Even a full bucket would not do: it would be refused again, whenever it comes.
    if ([...wanted].some(([bucket, tokens]) => bucket.delayFromFullMs(tokens) > this.#delayMsMax)) {
      const message = `Cannot publish to ${topic}: ${messages} messages of ${bytes} bytes at once are more than the quota of ${who} ever lets through; publish less at once`
      return new SkeinError('quota-exceeded', message, { details })
    }
    const inMs = Math.ceil(delayMs)
    return new SkeinError(
      'quota-exceeded',
      `Cannot publish to ${topic}: ${who} is over quota, and there is room only in ${inMs} ms; publish slower`,
      { retryable: true, details: { ...details, retryAfterMs: inMs } },
    )
  }
}

/**
 * The buckets of one kind, made when first needed. When there are too many, full ones are forgotten; while none is full,
 * those that come share one.
 */
class QuotaTable {
  readonly #rules: QuotaRules | undefined
  readonly #buckets = new Map<string, Buckets>()
  #shared: Buckets | undefined
  #forgotAtMs = Number.NEGATIVE_INFINITY

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
    if (this.#buckets.size >= BUCKETS_MAX && nowMs - this.#forgotAtMs >= FORGET_EVERY_MS) this.#forgetFull(nowMs)
    if (this.#buckets.size >= BUCKETS_MAX) {
      this.#shared ??= bucketsOf(quota, nowMs)
      return this.#shared
    }
    const buckets = bucketsOf(quota, nowMs)
    this.#buckets.set(name, buckets)
    return buckets
  }

  #forgetFull(nowMs: number): void {
    this.#forgotAtMs = nowMs
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
