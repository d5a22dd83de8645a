import { type ErrorCode, SkeinError } from '../core/index.ts'

interface ServiceError {
  readonly name?: string
  readonly message?: string
  readonly $metadata?: { readonly httpStatusCode?: number }
}

/** The last is versitygw's for a key that it does not know. */
const DENIED = new Set([
  'AccessDenied',
  'Forbidden',
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'XAdminUserNotFound',
])

/** What the service or the way to it said, as an error of ours. */
export function s3Error(action: string, cause: unknown): SkeinError {
  if (cause instanceof SkeinError) return cause
  const { name = '', message = '', $metadata } = cause as ServiceError
  const status = $metadata?.httpStatusCode
  const code = codeOf(name, status)
  const why = message === '' || message === name ? `the service says ${name} (${status ?? 'no answer'})` : message
  return new SkeinError(code, `Cannot ${action} in S3: ${why}`, { cause, retryable: code === 'connection-lost' })
}

/** Whether a condition that an object must not be there yet was not met. */
export function isThereAlready(error: unknown): boolean {
  const { name, $metadata } = ((error as Error).cause ?? {}) as ServiceError
  return name === 'PreconditionFailed' || $metadata?.httpStatusCode === 412
}

function codeOf(name: string, status: number | undefined): ErrorCode {
  if (DENIED.has(name) || status === 401 || status === 403) return 'unauthorised'
  if (status === 404 || name === 'NoSuchKey' || name === 'NoSuchBucket') return 'not-found'
  if (status === 507) return 'disk-full'
  if (status === 501) return 'unsupported'
  // Two conditional writes at once: neither is decided.
  if (status === 409) return 'connection-lost'
  if (status === undefined || status >= 500 || status === 429) return 'connection-lost'
  return 'io-failed'
}
