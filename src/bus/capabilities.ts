/** From weakest to strongest, but `durable` and `replicated` do not compare: see `satisfies`. */
export type Durability = 'none' | 'written' | 'durable' | 'replicated' | 'quorum-durable'

/** What a channel may ask for: a level, or `safe`, which is `durable` or `replicated` or better. */
export type RequestedDurability = Durability | 'safe'

/** `native`: the broker does it. `emulated`: Skein does it with the broker's means, and the channel opted in. `none`: refused. */
export type Support = 'native' | 'emulated' | 'none'

export interface Capabilities {
  readonly driver: string
  /** The best level this topic grants, from its actual settings. */
  readonly durability: Durability
  readonly order: Support
  readonly groups: Support
  readonly broadcast: Support
  readonly deduplication: Support
  readonly retry: Support
  readonly deadLetters: Support
  readonly replayByPosition: Support
  readonly replayByTime: Support
  readonly ttl: Support
  readonly wildcards: Support
  readonly compaction: Support
  readonly headers: Support
  readonly lag: Support
  readonly requests: Support
  /** A slow reader of an ephemeral topic may slow its writers (`overflow: 'wait'`). */
  readonly backPressure: Support
  readonly transactions: Support
  /** Positions of one partition are dense enough to serve as epochs: totally ordered and never reused. */
  readonly totalOrder: boolean
  readonly messageBytesMax: number
  readonly partitions: number
}

/** Whether a reader with a filter is sent only what is for it: where it is not, thousands of filters must not mean thousands of readers. */
export function addressesBySubject({ wildcards }: Pick<Capabilities, 'wildcards'>): boolean {
  return wildcards === 'native'
}

/** Whether `granted` is at least `asked` in the partial order none < written < durable, replicated < quorum-durable. */
export function satisfies(granted: Durability, asked: RequestedDurability): boolean {
  if (asked === 'safe') return granted === 'durable' || granted === 'replicated' || granted === 'quorum-durable'
  if (granted === asked || asked === 'none') return true
  if (asked === 'written') return granted !== 'none'
  return granted === 'quorum-durable' && (asked === 'durable' || asked === 'replicated')
}
