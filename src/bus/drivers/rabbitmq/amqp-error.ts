import { SkeinError, type SkeinErrorOptions, UnsupportedError } from '../../../core/index.ts'

/** Reply codes of AMQP 0-9-1 (§1.2, "constants") and of RabbitMQ's extensions. */
const CODES: Readonly<Record<number, { readonly code: SkeinError['code']; readonly retryable: boolean }>> = {
  311: { code: 'message-too-large', retryable: false },
  320: { code: 'connection-lost', retryable: true },
  403: { code: 'unauthorised', retryable: false },
  404: { code: 'not-found', retryable: false },
  405: { code: 'locked', retryable: true },
  406: { code: 'bad-argument', retryable: false },
  506: { code: 'overloaded', retryable: true },
  530: { code: 'unauthorised', retryable: false },
  540: { code: 'unsupported', retryable: false },
}

/** What the library rejects with, in our words. `action`: "Cannot …", without an end. */
export function amqpError(cause: unknown, action: string): SkeinError {
  if (cause instanceof SkeinError) return cause
  const { code, message } = asError(cause)
  const known = typeof code === 'number' ? CODES[code] : undefined
  if (/No channels left/.test(message)) {
    return wrap(
      'overloaded',
      `${action}: the connection has as many channels as the broker allows; close readers or writers`,
      {
        cause,
      },
    )
  }
  if (code === 540) return unimplemented(action, message, cause)
  if (code === 406 && /message size .* larger than|larger than configured max size/i.test(message)) {
    return wrap('message-too-large', `${action}: the broker takes no message of that size: ${said(message)}`, { cause })
  }
  if (/is down or inaccessible|does not have a replica on the local node/.test(message)) {
    return wrap('connection-lost', `${action}: the broker does not have the queue at hand (${said(message)})`, {
      cause,
      retryable: true,
    })
  }
  const setting = code === 406 ? differingSetting(message) : undefined
  if (setting !== undefined) {
    return wrap('bad-argument', `${action}: on the broker it has another ${setting}: ${said(message)}`, {
      cause,
      details: { setting },
    })
  }
  if (known !== undefined) return wrap(known.code, `${action}: ${said(message)}`, { cause, retryable: known.retryable })
  return wrap('connection-lost', `${action}: the connection to the broker is gone (${message})`, {
    cause,
    retryable: true,
  })
}

function wrap(code: SkeinError['code'], message: string, options: SkeinErrorOptions): SkeinError {
  return new SkeinError(code, message, options)
}

function unimplemented(action: string, message: string, cause: unknown): SkeinError {
  const error = new UnsupportedError(action.replace(/^Cannot /, ''), said(message))
  error.cause = cause
  return error
}

function asError(cause: unknown): { readonly code: unknown; readonly message: string } {
  if (!(cause instanceof Error)) return { code: undefined, message: String(cause) }
  return { code: (cause as { readonly code?: unknown }).code, message: cause.message }
}

/** The broker's own sentence, without the library's wrapping. */
function said(message: string): string {
  return /with message "(.*)"$/s.exec(message)?.[1] ?? message
}

/** PRECONDITION_FAILED names the argument of a queue or exchange that exists with another value. */
function differingSetting(message: string): string | undefined {
  return /inequivalent arg '([^']+)'/.exec(message)?.[1]
}

/** Why a connection could not be made, and whether trying again may help. Names the address, never the password. */
export function dialError(cause: unknown, url: string): SkeinError {
  if (cause instanceof SkeinError) return cause
  const { code, message } = asError(cause)
  const action = `Cannot connect to RabbitMQ at ${addressOf(url)}`
  const details = { address: addressOf(url) }
  if (/403 \(ACCESS-REFUSED\)|ACCESS_REFUSED/.test(message)) {
    return wrap('unauthorised', `${action}: it refuses the user or the password`, { cause, details })
  }
  // The library passes on neither code nor reason of a virtual host that is refused.
  if (/530 \(NOT-ALLOWED\)|NOT_ALLOWED|Expected ConnectionOpenOk; got <ConnectionClose/.test(message)) {
    return wrap(
      'unauthorised',
      `${action}: it refuses the virtual host; check that it exists and that the user may use it`,
      {
        cause,
        details,
      },
    )
  }
  const isTls = url.startsWith('amqps:')
  if (isTls && /wrong version number|packet length too long/i.test(message)) {
    return wrap('bad-argument', `${action}: it does not speak TLS there; use amqp:// or its TLS port`, {
      cause,
      details,
    })
  }
  if (isTls && isCertificateError(code)) {
    return wrap('unauthorised', `${action}: its certificate is refused (${String(code)}); give the right "ca" in tls`, {
      cause,
      details,
    })
  }
  const hint = isTls ? '' : '; if it speaks TLS there, use amqps://'
  const closed = /closed abruptly|Expected .* got|frame|ECONNRESET/i.test(message)
  return wrap('connection-lost', `${action}: ${message || String(code)}${closed ? hint : ''}`, {
    cause,
    details,
    retryable: true,
  })
}

function isCertificateError(code: unknown): boolean {
  return typeof code === 'string' && /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ALTNAME/.test(code)
}

function addressOf(url: string): string {
  const parsed = URL.parse(url)
  return parsed === null
    ? 'a malformed URL'
    : `${parsed.hostname}:${parsed.port || (url.startsWith('amqps') ? 5671 : 5672)}`
}
