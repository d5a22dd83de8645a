import { SkeinError } from '../core/index.ts'

/** A batch that was not wholly stored. Indexes are into the batch. */
export class WriteError extends SkeinError {
  override readonly name = 'WriteError'
  /** Stored at the asked level. */
  readonly accepted: readonly number[]
  /** May or may not be stored. Everything in neither list was not stored. */
  readonly unknown: readonly number[]

  constructor(
    message: string,
    result: {
      readonly accepted: readonly number[]
      readonly unknown: readonly number[]
      readonly cause?: unknown
      readonly retryable?: boolean
    },
  ) {
    super('write-failed', message, {
      cause: result.cause,
      retryable: result.retryable ?? false,
      details: { accepted: result.accepted.length, unknown: result.unknown.length },
    })
    this.accepted = result.accepted
    this.unknown = result.unknown
  }
}
