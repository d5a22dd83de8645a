import type { Random } from '../../src/core/index.ts'
import type { Packet } from './member/member.ts'

interface Sent {
  readonly packet: Packet
  readonly from: number
  readonly to: number
}

const KEPT_MAX = 400

/** A random part of what was ever sent, the latest more than the earliest: a network may deliver it again, however late. */
export class Echoes {
  readonly #random: Random
  readonly #kept: Sent[] = []

  constructor(random: Random) {
    this.#random = random
  }

  keep(sent: Sent): void {
    if (this.#kept.length < KEPT_MAX) this.#kept.push(sent)
    else this.#kept[Math.floor(this.#random.float() * KEPT_MAX)] = sent
  }

  draw(count: number): Sent[] {
    const drawn = Array.from({ length: count }, () => this.#kept[Math.floor(this.#random.float() * this.#kept.length)])
    return drawn.filter((sent) => sent !== undefined)
  }
}
