/** Tokens that flow in at a rate up to a burst. Taking more than there are makes a debt, which is a delay. */
export class TokenBucket {
  readonly #perMs: number
  readonly #burst: number
  #tokens: number
  #filledAtMs: number

  constructor(rate: { readonly perSecond: number; readonly burst: number }, nowMs: number) {
    this.#perMs = rate.perSecond / 1_000
    this.#burst = rate.burst
    this.#tokens = rate.burst
    this.#filledAtMs = nowMs
  }

  /** How long until so many tokens are there; 0 when they are. More than the burst is waited for beyond it. */
  delayMs(tokens: number, nowMs: number): number {
    this.#fill(nowMs)
    return tokens <= this.#tokens ? 0 : (tokens - this.#tokens) / this.#perMs
  }

  /** The same for one that nobody has taken from for long. */
  delayFromFullMs(tokens: number): number {
    return tokens <= this.#burst ? 0 : (tokens - this.#burst) / this.#perMs
  }

  take(tokens: number): void {
    this.#tokens -= tokens
  }

  /** As good as new: it may be forgotten. */
  isFull(nowMs: number): boolean {
    this.#fill(nowMs)
    return this.#tokens >= this.#burst
  }

  #fill(nowMs: number): void {
    this.#tokens = Math.min(this.#burst, this.#tokens + Math.max(0, nowMs - this.#filledAtMs) * this.#perMs)
    this.#filledAtMs = nowMs
  }
}
