/** Every way Skein fails, in one list: callers switch on `code`, and no other string is promised. */
export type ErrorCode =
  | 'aborted'
  | 'bad-argument'
  | 'bad-config'
  | 'bad-input'
  | 'bad-subject'
  | 'closed'
  | 'command-rejected'
  | 'config-change-refused'
  | 'connection-lost'
  | 'corrupt'
  | 'dead-letter-failed'
  | 'deadline-expired'
  | 'disk-full'
  | 'fenced'
  | 'future-version'
  | 'handler-failed'
  | 'id-reused'
  | 'intent-reused'
  | 'io-failed'
  | 'locked'
  | 'log-poisoned'
  | 'malformed-frame'
  | 'message-too-large'
  | 'no-responder'
  | 'not-found'
  | 'not-leader'
  | 'outcome-unknown'
  | 'overloaded'
  | 'port-in-use'
  | 'position-gone'
  | 'quota-exceeded'
  | 'revoked'
  | 'schema-mismatch'
  | 'slow-consumer'
  | 'timeout'
  | 'unauthorised'
  | 'unknown-agent'
  | 'unsupported'
  | 'write-failed'
  | 'wrong-cluster'

export interface SkeinErrorOptions {
  readonly cause?: unknown
  /** Whether the same call may succeed later without anybody changing anything. Default: false. */
  readonly retryable?: boolean
  /** Facts for programs: offsets, limits, names. Never secrets. */
  readonly details?: Readonly<Record<string, unknown>>
}

/** The one base class. The message says the action, then the state, then what to do. */
export class SkeinError extends Error {
  override readonly name: string = 'SkeinError'
  readonly code: ErrorCode
  readonly retryable: boolean
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, message: string, options: SkeinErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryable = options.retryable ?? false
    this.details = options.details ?? {}
  }
}

/** A broker, a disk or a setting cannot give what was asked; raised at open, never silently emulated. */
export class UnsupportedError extends SkeinError {
  override readonly name = 'UnsupportedError'
  readonly feature: string
  readonly reason: string

  constructor(feature: string, reason: string, options: Pick<SkeinErrorOptions, 'cause' | 'details'> = {}) {
    const { cause, details } = options
    super('unsupported', `Cannot use ${feature}: ${reason}`, { cause, details: { ...details, feature, reason } })
    this.feature = feature
    this.reason = reason
  }
}

/** A call on something that was closed or is being drained. */
export class ClosedError extends SkeinError {
  override readonly name = 'ClosedError'

  constructor(what: string) {
    super('closed', `Cannot use ${what}: it is closed`)
  }
}
