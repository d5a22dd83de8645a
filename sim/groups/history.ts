/** What one consumer group lived through, in the order in which it happened. */
export interface GroupHistory {
  readonly attemptsMax: number
  readonly steps: readonly Step[]
  /** Ids found in the dead-letter topic afterwards. */
  readonly deadLetters: readonly string[]
}

export type Step =
  /** Stored: acknowledged to the writer. `copies` of one id must be given as one message. */
  | { readonly kind: 'sent'; readonly id: string; readonly key: string; readonly expires?: boolean }
  /** Time ran out for every message sent with a time to live. */
  | { readonly kind: 'expired' }
  | {
      readonly kind: 'given'
      readonly id: string
      readonly key: string
      readonly partition: number
      readonly sequence: number
      readonly attempt: number
      readonly reader: number
      /** The bytes and headers are those that were sent. */
      readonly intact: boolean
    }
  /** Handled, its acknowledgment resolved. */
  | { readonly kind: 'done'; readonly id: string }
  /** Settled, and the settling resolved. */
  | { readonly kind: 'retry' | 'release' | 'dead'; readonly id: string }
  /** The batch that they were given in is settled to its end: no crash can bring back one that was settled alone. */
  | { readonly kind: 'acknowledged'; readonly ids: readonly string[] }
  /** Given back unsettled: their reader went away, or lost the partition. */
  | { readonly kind: 'abandoned'; readonly ids: readonly string[] }
  /** A reader that had lost them settled them all the same, and was believed. */
  | { readonly kind: 'settled-late'; readonly ids: readonly string[] }
  /** The process died: what it wrote is with the system. */
  | { readonly kind: 'crash' }
  /** The machine died: what was never synced is gone. Places of groups may be, acknowledged messages must not be. */
  | { readonly kind: 'power-loss' }
