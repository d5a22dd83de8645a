import { WriteError } from '../../bus/index.ts'
import { type ErrorCode, nearest, SkeinError } from '../../core/index.ts'

/** What an error is answered with: RFC 9457, with our code beside its own members. */
export interface Problem {
  /** `urn:skein:error:<code>`; `docs/reference/errors.md` says what each means. */
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: ErrorCode | 'internal'
  readonly retryable: boolean
  /** Facts for programs: limits, names, indexes. */
  readonly facts?: Readonly<Record<string, unknown>>
}

const STATUS: Readonly<Record<ErrorCode, number>> = {
  aborted: 503,
  'bad-argument': 400,
  'bad-config': 400,
  'bad-input': 400,
  'bad-subject': 400,
  closed: 503,
  'command-rejected': 409,
  'config-change-refused': 409,
  'connection-lost': 503,
  corrupt: 500,
  'dead-letter-failed': 503,
  'deadline-expired': 410,
  'disk-full': 507,
  fenced: 409,
  'future-version': 500,
  'handler-failed': 502,
  'id-reused': 409,
  'intent-reused': 409,
  'io-failed': 500,
  locked: 409,
  'log-poisoned': 503,
  'malformed-frame': 400,
  'message-too-large': 413,
  'no-responder': 503,
  'not-found': 404,
  'not-leader': 503,
  'outcome-unknown': 504,
  overloaded: 503,
  'port-in-use': 500,
  'position-gone': 410,
  'quota-exceeded': 429,
  revoked: 409,
  'schema-mismatch': 422,
  'slow-consumer': 503,
  timeout: 504,
  unauthorised: 403,
  'unknown-agent': 404,
  unsupported: 422,
  'write-failed': 503,
  'wrong-cluster': 409,
}

/**
 * The problem to answer with. What is no `SkeinError` is our mistake: its text is for the log, not for the caller.
 * `taken` are the content types of the route.
 */
export function problemOf(error: unknown, taken: readonly string[] = ['application/json']): Problem {
  const known = error instanceof SkeinError ? plainest(error) : frameworkError(error, taken)
  if (!known) {
    return {
      type: 'urn:skein:error:internal',
      title: 'internal',
      status: 500,
      detail: 'The node failed in a way it did not foresee; its log has the details',
      code: 'internal',
      retryable: false,
    }
  }
  const { code, message, retryable, details } = known
  return {
    type: `urn:skein:error:${code}`,
    title: code.replaceAll('-', ' '),
    status: statusOf(error, code),
    detail: `${message}${howToOpen(code, details)}`,
    code,
    retryable,
    ...(Object.keys(details).length > 0 && { facts: details }),
  }
}

/** Whoever has nothing but HTTP opens a topic with it. */
function howToOpen(code: ErrorCode, { topic, group }: Readonly<Record<string, unknown>>): string {
  return code === 'not-found' && typeof topic === 'string' && group === undefined ? `: PUT /v1/topics/${topic}` : ''
}

/** Of a write of which nothing was stored and nothing is in doubt, its cause says it best. */
function plainest(error: SkeinError): SkeinError {
  const isPlain = error instanceof WriteError && error.accepted.length === 0 && error.unknown.length === 0
  return isPlain && error.cause instanceof SkeinError ? error.cause : error
}

interface FrameworkError {
  readonly code?: string
  readonly statusCode?: number
  readonly message: string
  readonly validation?: ReadonlyArray<{
    readonly params?: Readonly<Record<string, unknown>>
    /** The part of the schema that refused it. */
    readonly parentSchema?: { readonly properties?: Readonly<Record<string, unknown>> }
  }>
}

/** What the HTTP library refuses by itself, in our words. */
function frameworkError(error: unknown, taken: readonly string[]): SkeinError | undefined {
  if (!(error instanceof Error)) return undefined
  const { code, statusCode, message, validation } = error as FrameworkError
  if (validation !== undefined) {
    const named = unknownProperty(validation[0])
    return new SkeinError('bad-argument', `Cannot take the request: ${message}${named}`, { cause: error })
  }
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new SkeinError(
      'message-too-large',
      'Cannot take the request: its body is larger than limits.httpBodyBytes',
      {
        cause: error,
      },
    )
  }
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    const types = taken.join(', ')
    return new SkeinError('bad-argument', `Cannot read the request: ${message}; this takes ${types}`, {
      cause: error,
      details: { taken },
    })
  }
  if (statusCode === undefined || statusCode < 400 || statusCode >= 500) return undefined
  const kind = statusCode === 400 ? 'bad-input' : 'bad-argument'
  return new SkeinError(kind, `Cannot read the request: ${message}`, { cause: error })
}

/** Names a property that nobody asked for, and the one that was most likely meant. */
function unknownProperty(refusal: NonNullable<FrameworkError['validation']>[number] | undefined): string {
  const extra = refusal?.params?.additionalProperty
  if (typeof extra !== 'string') return ''
  const near = nearest(extra, Object.keys(refusal?.parentSchema?.properties ?? {}))
  return near === undefined ? ` ("${extra}")` : ` ("${extra}"); did you mean "${near}"?`
}

/** Where the HTTP library knows a finer status (415, 405, …) than our code gives, that one stands. */
function statusOf(error: unknown, code: ErrorCode): number {
  const { statusCode } = error as FrameworkError
  if (!(error instanceof SkeinError) && statusCode !== undefined && statusCode > 400) return statusCode
  return STATUS[code]
}
