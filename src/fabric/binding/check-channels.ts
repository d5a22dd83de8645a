import { type Intent, satisfies } from '../../bus/index.ts'
import type { AnyChannel } from '../../channel/index.ts'
import { UnsupportedError } from '../../core/index.ts'
import { lacksForJoining } from './bind-intents.ts'
import type { BoundBroker, BoundBus } from './bound-bus.ts'
import { BROKER_FACTS } from './broker-kind.ts'

const WHERE: Readonly<Record<Intent, string>> = {
  telemetry: 'Kafka, JetStream, RabbitMQ or a node',
  event: 'Kafka, JetStream or a node',
  command: 'JetStream, Kafka or a node',
  notice: 'NATS, RabbitMQ or a node',
  query: 'NATS, RabbitMQ or a node',
}

/**
 * Throws `UnsupportedError` for a channel that its brokers cannot carry whatever its topic's settings are, before any
 * topic is made: naming channel, broker, what is missing and what to do.
 */
export function checkChannels(channels: Iterable<AnyChannel>, bus: BoundBus): void {
  for (const channel of channels) {
    if (channel.intent === 'query') checkQuery(channel, bus)
    if (channel.intent === 'command') checkCommand(channel, bus)
  }
}

function checkQuery(channel: AnyChannel, { routes }: BoundBus): void {
  const broker = routes.byIntent.query
  if (BROKER_FACTS[broker.kind].hasRequests) return
  const todo = `bind queries to ${WHERE.query}: { bind: { query: NAME } }`
  throw refusal({ channels: [channel], broker, capability: 'requests', lacks: 'request and reply', todo })
}

/** Whoever receives commands has joined, asks its node and has an epoch. */
function checkCommand(channel: AnyChannel, { routes }: BoundBus): void {
  const lacking = lacksForJoining(routes)
  if (lacking === 'requests') {
    const todo = `bind queries to ${WHERE.query}, which agents then join and pulse by: { bind: { query: NAME } }`
    const broker = routes.byIntent.query
    throw refusal({ channels: [channel], broker, capability: 'requests', lacks: 'request and reply', todo })
  }
  if (lacking === 'totalOrder') {
    const todo =
      'name a Kafka, a NATS with JetStream or a node among the brokers: the roster lies there, and gives epochs'
    const lacks = 'totally ordered positions for the epochs of agents'
    throw refusal({ channels: [channel], broker: routes.own, capability: 'totalOrder', lacks, todo })
  }
}

/** What a driver refused when a topic was opened, said of the channels that need it and of the broker by its name. */
export function explainRefusal(cause: unknown, channels: readonly AnyChannel[], bus: BoundBus): unknown {
  const [channel] = channels
  if (!(cause instanceof UnsupportedError) || channel === undefined) return cause
  const broker = bus.brokerFor(channel.topicSpec)
  const isDurability = cause.feature.startsWith('durability')
  const lacks = `${cause.feature}: ${cause.reason}`
  const todo = isDurability ? durabilityTodo(channel, broker) : `bind ${channel.intent} to ${WHERE[channel.intent]}`
  return refusal({ channels, broker, capability: isDurability ? 'durability' : cause.feature, lacks, todo, cause })
}

function durabilityTodo(channel: AnyChannel, broker: BoundBroker): string {
  const asked = channel.topicSpec.durability
  const elsewhere = `bind ${channel.intent} to a broker that is as safe (three replicas)`
  if (asked !== undefined && asked !== 'safe')
    return `${elsewhere}, or declare "safe" instead of "${asked}" and lower it`
  const lowered = `say that "safe" is less here: { brokers: { "${broker.name}": { url, safe: "written" } } }`
  return broker.safe === undefined || satisfies('written', broker.safe) ? `${elsewhere}, or ${lowered}` : lowered
}

function refusal(of: {
  readonly channels: readonly AnyChannel[]
  readonly broker: BoundBroker
  readonly capability: string
  readonly lacks: string
  readonly todo: string
  readonly cause?: unknown
}): UnsupportedError {
  const { channels, broker, capability, lacks, todo, cause } = of
  const patterns = channels.map(({ subject }) => subject.pattern)
  const names = patterns.map((pattern) => `"${pattern}"`).join(', ')
  return new UnsupportedError(
    `the ${channels[0]!.intent} ${channels.length === 1 ? 'channel' : 'channels'} ${names} on broker "${broker.name}"`,
    `${broker.kind} does not give it ${lacks}; ${todo}`,
    { cause, details: { channels: patterns, broker: broker.name, kind: broker.kind, capability, todo } },
  )
}
