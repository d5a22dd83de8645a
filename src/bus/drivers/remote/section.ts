import type { SkeinError } from '../../../core/index.ts'
import type { Head } from '../../../wire/index.ts'

/** The part of a written batch that goes to one partition in one message: what is sent, and sent again. */
export interface Section {
  readonly head: Head
  readonly body: readonly Uint8Array[]
  readonly byteLength: number
  /** Whether the node knows a repeat: only then is it sent again after a broken connection. */
  readonly isRepeatable: boolean
  /** Set once it has been on its way. */
  wasSent: boolean
  onStored(answer: Head): void
  onFailed(error: SkeinError, mayBeStored: boolean): void
}
