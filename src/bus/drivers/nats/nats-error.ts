import { ClosedError, type ErrorCode, SkeinError, UnsupportedError } from '../../../core/index.ts'

/** Codes of JetStream's API that the driver acts on. */
export const STREAM_NOT_FOUND = 10_059
export const MESSAGE_NOT_FOUND = 10_037
const CONSUMER_NOT_FOUND = 10_014
const WRONG_LAST_SEQUENCE = 10_071
const WRONG_LAST_SEQUENCE_CONSTANT = 10_164
const JETSTREAM_NOT_ENABLED = [10_076, 10_039]
const INSUFFICIENT = [10_023, 10_047, 10_028, 10_002, 10_077]
const NO_PEERS = 10_005
const REPLICAS_NOT_SUPPORTED = 10_074
const CLUSTER_UNAVAILABLE = [10_008, 10_009]
/** Batches are off, ill-formed, too many, or not known (any more): says nothing of the message itself. */
const BATCH_REFUSALS = [10_205, 10_206, 10_207, 10_208, 10_211]

export interface ApiError {
  readonly code: number
  readonly err_code?: number
  readonly description: string
}

/** Whether a message was not stored only because its batch was not taken. */
export function isBatchRefusal({ err_code: apiCode = 0 }: ApiError): boolean {
  return BATCH_REFUSALS.includes(apiCode)
}

/** A refusal by JetStream's API: `details.apiCode` is its code. */
export function apiError(action: string, error: ApiError): SkeinError {
  const { err_code: apiCode = 0, description } = error
  const details = { apiCode, status: error.code }
  if (JETSTREAM_NOT_ENABLED.includes(apiCode)) return noJetStream()
  if (apiCode === NO_PEERS || apiCode === REPLICAS_NOT_SUPPORTED) {
    return new UnsupportedError('that many replicas', `${description}; start more servers, or ask for fewer`)
  }
  const [code, retryable] = codeOf(apiCode)
  return new SkeinError(code, `Cannot ${action}: ${description}`, { retryable, details })
}

function codeOf(apiCode: number): readonly [ErrorCode, boolean] {
  if (apiCode === STREAM_NOT_FOUND || apiCode === MESSAGE_NOT_FOUND || apiCode === CONSUMER_NOT_FOUND) {
    return ['not-found', false]
  }
  if (INSUFFICIENT.includes(apiCode)) return ['overloaded', true]
  if (CLUSTER_UNAVAILABLE.includes(apiCode)) return ['connection-lost', true]
  return ['io-failed', false]
}

export function isApiError(error: unknown, ...apiCodes: readonly number[]): boolean {
  return error instanceof SkeinError && apiCodes.includes(error.details.apiCode as number)
}

export function isConflict(error: unknown): boolean {
  return isApiError(error, WRONG_LAST_SEQUENCE, WRONG_LAST_SEQUENCE_CONSTANT)
}

export function noJetStream(): UnsupportedError {
  return new UnsupportedError(
    'storage',
    'the server has no JetStream; start it with "jetstream: enabled", or open the topic with storage "ephemeral"',
  )
}

/** What the library throws, in Skein's words. Errors of ours pass unchanged. */
export function natsError(action: string, cause: unknown): SkeinError {
  if (cause instanceof SkeinError) return cause
  const name = cause instanceof Error ? cause.name : ''
  const state = describe(cause)
  if (name === 'TimeoutError') {
    return new SkeinError('timeout', `Cannot ${action}: no answer in time`, { cause, retryable: true })
  }
  if (name === 'AuthorizationError' || name === 'UserAuthenticationExpiredError' || /authorization/i.test(state)) {
    const advice = 'the server refuses these credentials; check user, password, token or credentials file'
    return new SkeinError('unauthorised', `Cannot ${action}: ${advice}`, { cause })
  }
  if (name === 'PermissionViolationError') {
    return new SkeinError('unauthorised', `Cannot ${action}: ${state}`, { cause })
  }
  if (name === 'ClosedConnectionError' || name === 'DrainingConnectionError') return new ClosedError('the bus')
  if (isTlsProblem(state)) {
    const advice =
      'TLS does not match: give the authority of the server (tls.ca), and "tls://" exactly where the server asks for it'
    return new SkeinError('connection-lost', `Cannot ${action}: ${advice} (${state})`, { cause })
  }
  return new SkeinError('connection-lost', `Cannot ${action}: ${state}`, { cause, retryable: true })
}

function isTlsProblem(state: string): boolean {
  return /certificate|tls|ssl|wrong version number|secure/i.test(state)
}

function describe(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  const inner = cause.cause instanceof Error ? ` (${cause.cause.message})` : ''
  const parts = cause instanceof AggregateError ? cause.errors.map((one: Error) => one.message).join('; ') : ''
  return `${cause.message}${inner}${parts && `: ${parts}`}`
}
