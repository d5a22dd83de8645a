import type { Durability, RequestedDurability } from '../../bus/index.ts'
import type { Clock, Random, SkeinError } from '../../core/index.ts'
import type { ObjectStore } from '../../objects/index.ts'
import type { TransferEnd } from '../transfer-end.ts'

export interface RestoreOptions {
  /** Of the archive; belongs to the caller. */
  readonly store: ObjectStore
  /** Without a topic: the archived one's name. */
  readonly target: Omit<TransferEnd, 'topic'> & { readonly topic?: string | undefined }
  readonly clock: Clock
  readonly random: Random
  /** A topic that is not there is made like the archived one. Default false: it is `not-found`. */
  readonly create?: boolean | undefined
  /** What the target must grant; refused otherwise. Default `written` for telemetry, `safe` for anything else. */
  readonly durability?: RequestedDurability | undefined
  /** Only what was appended then or later, by the clock of the archived broker. */
  readonly sinceMs?: number | undefined
  /** Only what was appended before. */
  readonly beforeMs?: number | undefined
  /**
   * Of messages whose time to live is over: `skip` leaves them out, counted, and gives others what is left of theirs; `keep`
   * restores all of them, and none expires any more. Default `skip`.
   */
  readonly expired?: 'skip' | 'keep' | undefined
  readonly signal?: AbortSignal | undefined
  /** Told of each problem that the restore gets over by itself. */
  readonly onProblem?: ((problem: SkeinError) => void) | undefined
  /** After each segment. */
  readonly onProgress?: ((report: RestoreReport) => void) | undefined
}

export interface RestoreReport {
  readonly archive: string
  /** `broker/topic` that the archive holds. */
  readonly source: string
  readonly topic: string
  readonly durability: Durability
  /** In the archive, and how many of them were looked at. */
  readonly messages: number
  readonly read: number
  /** Stored in the target. */
  readonly restored: number
  /** Were there already. */
  readonly repeats: number
  /** Left out, for their time was over. */
  readonly expired: number
  /** Stretches that the source had lost before they were archived: they are missing in the target, too. */
  readonly gaps: number
}
