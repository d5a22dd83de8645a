import { createHash, type Hash } from 'node:crypto'

const LINE_FEED = new Uint8Array([10])

/**
 * One fingerprint of a stream of keyed messages that does not depend on how keys interleave: per key SHA-256 over its
 * payloads in order, each followed by a line feed; then SHA-256 over `key SPACE hex LF`, sorted by the key's bytes.
 */
export class KeyedDigest {
  readonly #hashes = new Map<string, Hash>()

  add(key: string, payload: Uint8Array | string): void {
    let hash = this.#hashes.get(key)
    if (hash === undefined) {
      hash = createHash('sha256')
      this.#hashes.set(key, hash)
    }
    if (typeof payload === 'string') hash.update(`${payload}\n`)
    else hash.update(payload).update(LINE_FEED)
  }

  /** The fingerprint of what was added so far, in hexadecimal; more may be added after. */
  value(): string {
    const keys = [...this.#hashes.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    const whole = createHash('sha256')
    for (const key of keys) whole.update(`${key} ${this.#hashes.get(key)!.copy().digest('hex')}\n`)
    return whole.digest('hex')
  }
}
