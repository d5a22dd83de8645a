import { findService } from '../../test/services/find-service.ts'
import type { Service } from '../../test/services/service.ts'
import { median } from '../channel/median.ts'
import type { DriverBench, DriverRun, RunRequest } from './driver-bench.ts'

const PAIRS = 5

export interface Comparison {
  /** Messages per second. */
  readonly ours: number
  readonly other: number
  /** Of the other, used in another way. */
  readonly aside?: number
  readonly ratio: number
  readonly durability: string
}

interface Rates {
  readonly ours: number
  readonly other: number
  readonly aside: number | undefined
}

/**
 * Ours and the other in turn on one server: the medians, and the median of the pairs' ratios. Who begins changes from pair to
 * pair: what a server still has to do for one run would always slow the same side.
 */
export async function compare(name: string, bench: DriverBench): Promise<Comparison> {
  const service = await (await findService(bench.service, (text) => console.error(text))).start()
  const match = new Match(service, name, bench)
  try {
    const { pairs: rounds = PAIRS } = bench
    // Uncounted: both sides' code is compiled then, and the server's too.
    await match.play(0)
    const pairs: Rates[] = []
    for (let round = 1; round <= rounds; round += 1) {
      const rates = await match.play(round)
      pairs.push(rates)
      console.error(`${name} ${round} of ${rounds}: ${rates.ours} against ${rates.other} messages/s`)
    }
    const asides = pairs.flatMap(({ aside }) => (aside === undefined ? [] : [aside]))
    return {
      ours: median(pairs.map(({ ours }) => ours)),
      other: median(pairs.map(({ other }) => other)),
      ...(asides.length > 0 && { aside: median(asides) }),
      ratio: Math.round(median(pairs.map(({ ours, other }) => ours / other)) * 1_000) / 1_000,
      durability: match.durability,
    }
  } finally {
    await service.stop()
  }
}

type Side = (service: Service, run: RunRequest) => Promise<DriverRun>

class Match {
  durability = ''
  readonly #service: Service
  readonly #name: string
  readonly #bench: DriverBench

  constructor(service: Service, name: string, bench: DriverBench) {
    this.#service = service
    this.#name = name
    this.#bench = bench
  }

  /** One run of each, in messages per second. */
  async play(round: number): Promise<Rates> {
    const { messages, otherMessages = messages, aside } = this.#bench
    const playOurs = () => this.#rate('ours', { round, messages })
    const playOther = () => this.#rate('other', { round, messages: otherMessages })
    const first = round % 2 === 0 ? await playOurs() : undefined
    const other = await playOther()
    const ours = first ?? (await playOurs())
    if (aside === undefined) return { ours, other, aside: undefined }
    return { ours, other, aside: await this.#rate('aside', { round, messages: otherMessages }) }
  }

  async #rate(side: 'ours' | 'other' | 'aside', of: { readonly round: number; readonly messages: number }) {
    const bench = this.#bench
    const { round, messages } = of
    const run: Side = side === 'aside' ? bench.aside!.run : bench[side]
    const { ms, durability } = await run.call(bench, this.#service, {
      name: `bench.${this.#name}.${side}${round}`,
      messages,
    })
    if (side === 'ours') this.durability = durability
    return Math.round((messages / ms) * 1_000)
  }
}
