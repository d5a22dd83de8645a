import type { ConnectionOptions, NatsConnection } from '@nats-io/transport-node'
import { SkeinError } from '../../../core/index.ts'
import type { NatsLibrary } from './load-library.ts'
import { natsError } from './nats-error.ts'
import type { NatsBusOptions } from './options.ts'

const CONNECT_WITHIN_MS = 10_000
const RECONNECT_DELAY_MS = 50
const RECONNECT_DELAY_MS_MAX = 5_000
const PING_INTERVAL_MS = 10_000
const PINGS_OUT_MAX = 2

/** Connects, trying again with full jitter until the time is over. What no later try can mend is thrown at once. */
export async function dial(library: NatsLibrary, options: NatsBusOptions): Promise<NatsConnection> {
  const { clock, signal } = options
  const deadlineMs = clock.monotonicMs() + (options.connectTimeoutMs ?? CONNECT_WITHIN_MS)
  const delayMs = jitter(options)
  for (;;) {
    signal?.throwIfAborted()
    try {
      return await library.connect(connectionOptions(library, options))
    } catch (cause) {
      const error = natsError(`connect to ${hostsOf(options).join(', ')}`, cause)
      if (!error.retryable) throw error
      options.onState?.({ state: 'reconnecting', error })
      const waitMs = delayMs()
      if (clock.monotonicMs() + waitMs >= deadlineMs) throw error
      await clock.sleep(waitMs, { ...(signal && { signal }) })
    }
  }
}

/** The servers without whatever secret stands in their URLs. */
function hostsOf({ url }: NatsBusOptions): string[] {
  return urlsOf(url).map((one) => one.host)
}

function urlsOf(url: string | readonly string[]): URL[] {
  const texts = typeof url === 'string' ? url.split(',') : url
  return texts.map((text) => {
    if (URL.canParse(text) && /^(nats|tls):$/.test(new URL(text).protocol)) return new URL(text)
    throw new SkeinError(
      'bad-argument',
      `Cannot connect to NATS: "${text.replace(/\/\/[^/@]*@/, '//…@')}" is no nats:// or tls:// URL`,
    )
  })
}

function connectionOptions(library: NatsLibrary, options: NatsBusOptions): ConnectionOptions {
  const urls = urlsOf(options.url)
  const [first] = urls
  const { tls, token, credentials } = options
  const wantsTls = tls !== undefined || urls.some(({ protocol }) => protocol === 'tls:')
  return {
    servers: urls.map(({ host }) => host),
    name: options.name ?? 'skein',
    maxReconnectAttempts: -1,
    reconnectDelayHandler: jitter(options),
    pingInterval: options.pingIntervalMs ?? PING_INTERVAL_MS,
    maxPingOut: PINGS_OUT_MAX,
    timeout: options.connectTimeoutMs ?? CONNECT_WITHIN_MS,
    ...(first!.username !== '' && { user: decodeURIComponent(first!.username) }),
    ...(first!.password !== '' && { pass: decodeURIComponent(first!.password) }),
    ...(token !== undefined && { token }),
    ...(credentials !== undefined && { authenticator: library.credsAuthenticator(Buffer.from(credentials)) }),
    ...(wantsTls && { tls: { ...hostToCheck(first!), ...tls } }),
  }
}

/** The library names no host to the certificate's check where the server is given by its address. */
function hostToCheck({ hostname }: URL): object {
  return /^[\d.]+$|^\[/.test(hostname) ? { host: hostname.replace(/^\[|\]$/g, '') } : {}
}

/** Full jitter: each wait is a random part of a bound that doubles while nothing answers. */
function jitter({ random, reconnectDelayMsMax = RECONNECT_DELAY_MS_MAX, clock }: NatsBusOptions): () => number {
  let tries = 0
  let lastMs = clock.monotonicMs()
  return () => {
    const nowMs = clock.monotonicMs()
    // A long time without a try means that there was a connection meanwhile.
    if (nowMs - lastMs > 4 * reconnectDelayMsMax) tries = 0
    lastMs = nowMs
    tries += 1
    return Math.round(random.float() * Math.min(reconnectDelayMsMax, RECONNECT_DELAY_MS * 2 ** tries))
  }
}
