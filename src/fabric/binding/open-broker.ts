import { connectKafkaBus, type KafkaSasl } from '../../bus/drivers/kafka/index.ts'
import { connectNatsBus } from '../../bus/drivers/nats/index.ts'
import { connectRabbitmqBus } from '../../bus/drivers/rabbitmq/index.ts'
import type { Bus } from '../../bus/index.ts'
import { SkeinError } from '../../core/index.ts'
import type { NodeMachine } from '../machine.ts'
import { type OpenBusOptions, openBus } from '../open-bus.ts'
import type { BrokerSettings, SaslSettings, TlsSettings } from './binding.ts'
import type { BrokerKind } from './broker-kind.ts'
import { resolveSecret } from './secret-reference.ts'

/** A broker of a binding whose address and kind are known. */
export interface AddressedBroker {
  readonly name: string
  readonly kind: BrokerKind
  /** The address without anything that may be a secret. */
  readonly settings: BrokerSettings
}

const COMMON: ReadonlyArray<keyof BrokerSettings> = ['url', 'safe']
const TAKES: Readonly<Record<BrokerKind, ReadonlyArray<keyof BrokerSettings>>> = {
  memory: COMMON,
  embedded: COMMON,
  remote: COMMON,
  kafka: [...COMMON, 'sasl', 'tls'],
  jetstream: [...COMMON, 'mode', 'replicationFactor', 'syncAlways', 'token', 'credentials', 'tls'],
  'nats-core': [...COMMON, 'mode', 'token', 'credentials', 'tls'],
  rabbitmq: [...COMMON, 'members', 'namespace', 'tls'],
}

/** Throws `bad-argument` for a setting that this kind of broker does not take. */
export function checkBrokerSettings({ name, kind, settings }: AddressedBroker): void {
  for (const key of Object.keys(settings) as Array<keyof BrokerSettings>) {
    if (settings[key] === undefined || TAKES[kind].includes(key)) continue
    const takes = TAKES[kind].join(', ')
    throw new SkeinError(
      'bad-argument',
      `Cannot use broker "${name}": ${kind} does not take "${key}"; it takes ${takes}`,
      {
        details: { broker: name, key },
      },
    )
  }
}

/** Connects to one broker of a binding. Rejects as its driver does. */
export async function openBroker(
  { kind, settings }: AddressedBroker,
  machine: NodeMachine,
  options: OpenBusOptions,
): Promise<Bus> {
  const { url } = settings
  if (kind === 'memory') return openBus({ kind }, machine, options)
  if (kind === 'embedded') {
    return openBus({ kind, directory: url.slice('embedded:'.length) }, machine, options)
  }
  if (kind === 'remote') return openBus({ kind, url }, machine, options)
  if (kind === 'kafka') return openKafka(settings, machine, options)
  return kind === 'rabbitmq' ? openRabbitmq(settings, machine, options) : openNats(settings, machine, options)
}

async function openKafka(settings: BrokerSettings, machine: NodeMachine, options: OpenBusOptions): Promise<Bus> {
  const { url, sasl, tls } = settings
  return connectKafkaBus({
    ...{ url, clock: machine.clock, random: machine.random, clientId: options.client },
    ...limitsOf(options),
    ...(sasl && { sasl: await saslOf(sasl) }),
    ...(tls && { tls: await resolved(tls) }),
  })
}

async function openNats(settings: BrokerSettings, machine: NodeMachine, options: OpenBusOptions): Promise<Bus> {
  const { url, mode, replicationFactor, syncAlways, token, credentials, tls } = settings
  const { client } = options
  let connections = 0
  return connectNatsBus({
    ...{ url, clock: machine.clock, random: machine.random, name: client },
    ...limitsOf(options),
    ...(mode && { mode }),
    ...(replicationFactor !== undefined && { replicationFactor }),
    ...(syncAlways !== undefined && { syncAlways }),
    ...(token !== undefined && { token: await resolveSecret(token) }),
    ...(credentials !== undefined && { credentials: await resolveSecret(credentials) }),
    ...(tls && { tls: await resolved(tls) }),
    onState: ({ state }) => {
      if (state === 'connected') connections += 1
      options.onConnection(state === 'connected' ? String(connections) : undefined)
    },
  })
}

async function openRabbitmq(settings: BrokerSettings, machine: NodeMachine, options: OpenBusOptions): Promise<Bus> {
  const { url, members, namespace, tls } = settings
  return connectRabbitmqBus({
    ...{ url, clock: machine.clock, random: machine.random },
    ...limitsOf(options),
    ...(members !== undefined && { members }),
    ...(namespace !== undefined && { namespace }),
    ...(tls && { tls: await resolved(tls) }),
  })
}

function limitsOf({ connectTimeoutMs, signal }: OpenBusOptions) {
  return { ...(connectTimeoutMs !== undefined && { connectTimeoutMs }), ...(signal && { signal }) }
}

async function saslOf({ mechanism, username, password }: SaslSettings): Promise<KafkaSasl> {
  return { mechanism, username: await resolveSecret(username), password: await resolveSecret(password) }
}

async function resolved(
  tls: TlsSettings,
): Promise<{ readonly ca?: string; readonly cert?: string; readonly key?: string }> {
  const entries = Object.entries(tls).map(async ([name, text]) => [name, await resolveSecret(text as string)] as const)
  return Object.fromEntries(await Promise.all(entries))
}
