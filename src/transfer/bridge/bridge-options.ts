import type { Durability, RequestedDurability } from '../../bus/index.ts'
import type { Clock, Random, SkeinError } from '../../core/index.ts'
import type { TransferEnd } from '../transfer-end.ts'

export interface BridgeOptions {
  readonly source: TransferEnd
  readonly target: TransferEnd
  readonly clock: Clock
  readonly random: Random
  /**
   * The same after a restart: under it the bridge knows what it has moved. Several processes under one name share the
   * partitions of the source. Letters, digits, `.`, `_` and `-`. Default: made of the two topics.
   */
  readonly name?: string | undefined
  /** Only these subjects of the source. Default: all. */
  readonly subjects?: readonly string[] | undefined
  /** What the target must grant; refused otherwise. Default `written` for telemetry, `safe` for anything else. */
  readonly durability?: RequestedDurability | undefined
  /** A target topic that is not there is made like the source's. Default false: it is `not-found`. */
  readonly create?: boolean | undefined
  /** Where a bridge that never ran begins. Default `earliest`. */
  readonly from?: 'earliest' | 'latest' | undefined
  /** Bytes of messages read ahead and not yet stored in the target. Default 16 MiB. */
  readonly windowBytes?: number | undefined
  /** Told of each problem that the bridge gets over by itself: a broker that is away, a message that became a dead letter. */
  readonly onProblem?: ((problem: SkeinError) => void) | undefined
}

/** What a bridge has done since it began, and how far it is behind. */
export interface BridgeStatus {
  readonly bridge: string
  readonly state: 'moving' | 'source-away' | 'target-away' | 'stopped'
  readonly source: string
  readonly target: string
  /** Of what was moved, as the target's receipts say. */
  readonly durability: Durability
  readonly moved: number
  /** Given again after a failure, and in the target already. */
  readonly repeats: number
  /** Had been in the target's topic before they came to the source: not moved back. */
  readonly looped: number
  readonly deadLetters: number
  /** Damaged or deleted stretches of the source. */
  readonly gaps: number
  /** Of the source's topic: not yet stored in the target and acknowledged. */
  readonly lagMessages: number
  /** Undefined where the source cannot tell. */
  readonly lagSeconds: number | undefined
}
