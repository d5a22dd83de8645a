import type { Bus } from '../bus/index.ts'

/** A topic that is moved, or moved to. */
export interface TransferEnd {
  /** Belongs to the caller, who closes it afterwards. */
  readonly bus: Bus
  readonly topic: string
}
