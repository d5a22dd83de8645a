import type { Clock, Random, SkeinError } from '../../core/index.ts'
import type { ObjectStore } from '../../objects/index.ts'
import type { TransferEnd } from '../transfer-end.ts'

export interface ArchiveOptions {
  readonly source: TransferEnd
  /** One archive alone has it, or its prefix. Belongs to the caller, who closes it after the archive. */
  readonly store: ObjectStore
  readonly clock: Clock
  readonly random: Random
  /** Where an archive that is not there yet begins. Default `earliest`. */
  readonly from?: 'earliest' | 'latest' | undefined
  /** A segment is closed when its rows have so many bytes, before compression. Default 16 MiB. */
  readonly segmentBytes?: number | undefined
  /** A segment is closed when its first message has waited so long. Default 60,000. */
  readonly segmentAgeMs?: number | undefined
  /** Bytes of messages read ahead. Default 16 MiB. */
  readonly windowBytes?: number | undefined
  /** How often the archiver says that it lives; after a crash the next one waits three times as long. Default 5,000. */
  readonly beatMs?: number | undefined
  /** Does not wait to see whether another archiver lives: it is fenced off. Default false. */
  readonly takeOver?: boolean | undefined
  /** Ends the opening; `run()` takes its own. */
  readonly signal?: AbortSignal | undefined
  /** Told of each problem that the archive gets over by itself, and of each gap. */
  readonly onProblem?: ((problem: SkeinError) => void) | undefined
}

/** What an archiver has done since it began, and how far it is behind. */
export interface ArchiveStatus {
  readonly archive: string
  /** `broker/topic` */
  readonly source: string
  readonly state: 'archiving' | 'source-away' | 'store-away' | 'stopped'
  /** In the archive, as the manifest says; of all its archivers. */
  readonly messages: number
  readonly segments: number
  /** Of its segments, compressed. */
  readonly bytes: number
  /** Stretches that the source had lost before they were archived. */
  readonly gaps: number
  /** By this archiver. */
  readonly archived: number
  /** Came out of an archive of this topic: not archived again. */
  readonly looped: number
  /** Of the source: not yet in the archive. */
  readonly lagMessages: number
  /** Undefined where the source cannot tell. */
  readonly lagSeconds: number | undefined
}
