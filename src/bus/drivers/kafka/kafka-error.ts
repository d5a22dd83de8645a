import { type ErrorCode, SkeinError } from '../../../core/index.ts'
import type { KafkaLibrary } from './load-library.ts'

/** The error numbers of the Kafka protocol that the driver tells apart. */
export const KAFKA = {
  OFFSET_OUT_OF_RANGE: 1,
  UNKNOWN_TOPIC_OR_PARTITION: 3,
  LEADER_NOT_AVAILABLE: 5,
  NOT_LEADER_OR_FOLLOWER: 6,
  REQUEST_TIMED_OUT: 7,
  MESSAGE_TOO_LARGE: 10,
  COORDINATOR_LOAD_IN_PROGRESS: 14,
  COORDINATOR_NOT_AVAILABLE: 15,
  NOT_COORDINATOR: 16,
  RECORD_LIST_TOO_LARGE: 18,
  NOT_ENOUGH_REPLICAS: 19,
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: 20,
  INCONSISTENT_GROUP_PROTOCOL: 23,
  UNKNOWN_MEMBER_ID: 25,
  TOPIC_AUTHORIZATION_FAILED: 29,
  GROUP_AUTHORIZATION_FAILED: 30,
  CLUSTER_AUTHORIZATION_FAILED: 31,
  UNSUPPORTED_VERSION: 35,
  TOPIC_ALREADY_EXISTS: 36,
  INVALID_REPLICATION_FACTOR: 38,
  INVALID_CONFIG: 40,
  POLICY_VIOLATION: 44,
  OUT_OF_ORDER_SEQUENCE_NUMBER: 45,
  DUPLICATE_SEQUENCE_NUMBER: 46,
  INVALID_PRODUCER_EPOCH: 47,
  INVALID_TXN_STATE: 48,
  CONCURRENT_TRANSACTIONS: 51,
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: 53,
  UNKNOWN_PRODUCER_ID: 59,
  NON_EMPTY_GROUP: 68,
  GROUP_ID_NOT_FOUND: 69,
  FENCED_LEADER_EPOCH: 74,
  UNKNOWN_LEADER_EPOCH: 75,
  UNSTABLE_OFFSET_COMMIT: 88,
  PRODUCER_FENCED: 90,
  FENCED_MEMBER_EPOCH: 110,
  STALE_MEMBER_EPOCH: 113,
} as const

/** An error number that a broker gave for one part of its answer, as the library would have raised it. */
export function protocolErrorOf(kafka: KafkaLibrary, code: number, message?: string): Error {
  return new kafka.ProtocolError(code, message ?? null)
}

/** Another broker has it now, or none for the moment: look again, then ask again. */
const MOVED: ReadonlySet<number> = new Set([3, 5, 6, 8, 9, 13, 14, 15, 16, 56, 72, 74, 75, 100, 103])
/** The same broker may say yes soon. */
const BUSY: ReadonlySet<number> = new Set([7, 19, 20, 51, 60, 78, 88, 89])

const REFUSED: ReadonlyMap<number, ErrorCode> = new Map([
  [KAFKA.TOPIC_AUTHORIZATION_FAILED, 'unauthorised'],
  [KAFKA.GROUP_AUTHORIZATION_FAILED, 'unauthorised'],
  [KAFKA.CLUSTER_AUTHORIZATION_FAILED, 'unauthorised'],
  [KAFKA.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, 'unauthorised'],
  [KAFKA.MESSAGE_TOO_LARGE, 'message-too-large'],
  [KAFKA.RECORD_LIST_TOO_LARGE, 'message-too-large'],
  [KAFKA.UNKNOWN_TOPIC_OR_PARTITION, 'not-found'],
  [KAFKA.GROUP_ID_NOT_FOUND, 'not-found'],
  [KAFKA.UNKNOWN_MEMBER_ID, 'revoked'],
  [KAFKA.FENCED_MEMBER_EPOCH, 'revoked'],
  [KAFKA.INVALID_PRODUCER_EPOCH, 'fenced'],
  [KAFKA.PRODUCER_FENCED, 'fenced'],
  [KAFKA.INVALID_REPLICATION_FACTOR, 'unsupported'],
  [KAFKA.UNSUPPORTED_VERSION, 'unsupported'],
  [KAFKA.INVALID_CONFIG, 'bad-argument'],
  [KAFKA.POLICY_VIOLATION, 'bad-argument'],
  [KAFKA.NON_EMPTY_GROUP, 'bad-argument'],
])

interface LibraryError extends Error {
  readonly code?: string
  readonly apiCode?: number
  readonly apiId?: string
  readonly serverErrorMessage?: string | null
  readonly errors?: readonly unknown[]
}

/** The error and what lies under it: causes, and the several of one response. */
function* chain(error: unknown): Generator<LibraryError> {
  if (!(error instanceof Error)) return
  yield error as LibraryError
  const { errors, cause } = error as LibraryError
  for (const inner of errors ?? []) yield* chain(inner)
  yield* chain(cause)
}

/** What the broker answered: the first error number in the response; undefined when it answered nothing. */
export function kafkaCode(error: unknown): number | undefined {
  for (const one of chain(error)) if (one.apiCode !== undefined && one.apiCode !== 0) return one.apiCode
  return undefined
}

export function isMoved(error: unknown): boolean {
  const code = kafkaCode(error)
  return code === undefined ? isTransport(error) : MOVED.has(code)
}

/** The same call may succeed by itself. */
export function isRetriable(error: unknown): boolean {
  const code = kafkaCode(error)
  if (code !== undefined) return MOVED.has(code) || BUSY.has(code)
  return isTransport(error)
}

export function isRetriableCode(code: number): boolean {
  return MOVED.has(code) || BUSY.has(code)
}

function isTransport(error: unknown): boolean {
  if (secrecyProblem(error) !== undefined) return false
  for (const one of chain(error)) if (one.code === 'PLT_KFK_NETWORK' || one.code === 'PLT_KFK_TIMEOUT') return true
  return false
}

const TLS_CODES = /^(ERR_SSL|ERR_TLS|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|EPROTO)/

/** Wrong credentials or TLS: asking again changes nothing. */
function secrecyProblem(error: unknown): { readonly code: ErrorCode; readonly why: string } | undefined {
  for (const one of chain(error)) {
    if (one.code === 'PLT_KFK_AUTHENTICATION') {
      return { code: 'unauthorised', why: 'the broker refuses these credentials or their mechanism; check sasl' }
    }
    if (one.message === 'Broker requires TLS.') {
      return { code: 'bad-config', why: 'the broker speaks TLS and this connection does not; set tls' }
    }
    if (one.code !== undefined && TLS_CODES.test(one.code)) {
      return {
        code: 'bad-config',
        why: `TLS failed (${one.code}); check that the broker speaks TLS, and its certificate`,
      }
    }
    if (one.message?.startsWith('TLS handshake failed')) {
      return { code: 'bad-config', why: 'the TLS handshake failed; does the broker speak TLS on this port?' }
    }
  }
  return undefined
}

/** Every failure of the library as one of ours: `action` says what was being done. */
export function skeinError(error: unknown, action: string): SkeinError {
  if (error instanceof SkeinError) return error
  const secrecy = secrecyProblem(error)
  if (secrecy !== undefined) return new SkeinError(secrecy.code, `Cannot ${action}: ${secrecy.why}`, { cause: error })
  const code = kafkaCode(error)
  if (code === undefined) {
    return new SkeinError(
      'connection-lost',
      `Cannot ${action}: no broker answers (${lastWords(error)}); is it running?`,
      {
        cause: error,
        retryable: true,
      },
    )
  }
  const own = REFUSED.get(code) ?? 'io-failed'
  return new SkeinError(own, `Cannot ${action}: Kafka says ${brokerWords(error, code)}`, {
    cause: error,
    retryable: isRetriable(error),
    details: { kafkaError: code },
  })
}

function lastWords(error: unknown): string {
  const all = [...chain(error)]
  return all.at(-1)?.message || all[0]?.message || String(error)
}

function brokerWords(error: unknown, code: number): string {
  for (const one of chain(error)) {
    if (one.apiCode === code)
      return `${one.apiId ?? code}${one.serverErrorMessage ? ` (${one.serverErrorMessage})` : ''}`
  }
  return String(code)
}
