import type { AnyChannel, CommandChannel, QueryChannel } from '../channel/index.ts'
import type { Codec } from '../schema/index.ts'
import type { Contract } from './contract.ts'

export interface AsyncApiInfo {
  readonly title: string
  /** Of the contract, not of Skein. */
  readonly version: string
  readonly description?: string
}

type Json = Readonly<Record<string, unknown>>

/** The verbs of an intent: who gives a message to the fabric, and who takes it. */
const VERBS = {
  telemetry: { send: 'publish', receive: 'process' },
  event: { send: 'append', receive: 'process' },
  command: { send: 'send', receive: 'handle' },
  notice: { send: 'notify', receive: 'listen' },
  query: { send: 'ask', receive: 'answer' },
} as const

const KAFKA_BINDING_VERSION = '0.5.0'

/**
 * The AsyncAPI 3.0 document of a contract: one channel, message and pair of operations per declaration, replies for
 * commands and queries. What AsyncAPI has no word for (intent, key, durability, deadlines) stands under `x-skein`.
 */
export function asyncApi(contract: Contract, info: AsyncApiInfo): Json {
  const declared = Object.entries(contract.channels)
  return {
    asyncapi: '3.0.0',
    info: { ...info },
    defaultContentType: 'application/json',
    channels: Object.fromEntries(declared.flatMap(([name, channel]) => channelEntries(name, channel))),
    operations: Object.fromEntries(declared.flatMap(([name, channel]) => operationEntries(name, channel))),
    components: {
      messages: Object.fromEntries(declared.flatMap(([name, channel]) => messageEntries(name, channel))),
    },
  }
}

function channelEntries(name: string, channel: AnyChannel): Array<[string, Json]> {
  const { subject } = channel
  const entry: Json = {
    address: subject.pattern,
    title: name,
    messages: { [name]: reference('components', 'messages', name) },
    ...(subject.fields.length === 0 ? {} : { parameters: parametersOf(channel) }),
    bindings: { kafka: kafkaBinding(channel) },
    'x-skein': skeinOf(channel),
  }
  if (replyOf(channel) === undefined) return [[name, entry]]
  // The address of an answer is the asker's own; it is known only while the question is open.
  const reply = { address: null, messages: { [replyName(name)]: reference('components', 'messages', replyName(name)) } }
  return [
    [name, entry],
    [replyName(name), reply],
  ]
}

function operationEntries(name: string, channel: AnyChannel): Array<[string, Json]> {
  const verbs = VERBS[channel.intent]
  const common = {
    channel: reference('channels', name),
    messages: [reference('channels', name, 'messages', name)],
    ...(replyOf(channel) === undefined ? {} : { reply: replyOperation(name) }),
  }
  return [
    [`${verbs.send}${name}`, { action: 'send', ...common }],
    [`${verbs.receive}${name}`, { action: 'receive', ...common }],
  ]
}

function replyOperation(name: string): Json {
  return {
    channel: reference('channels', replyName(name)),
    messages: [reference('channels', replyName(name), 'messages', replyName(name))],
  }
}

function messageEntries(name: string, channel: AnyChannel): Array<[string, Json]> {
  const message = { ...messageOf(name, channel.value), bindings: { kafka: { key: { type: 'string' } } } }
  const reply = replyOf(channel)
  if (reply === undefined) return [[name, message]]
  return [
    [name, message],
    [replyName(name), messageOf(replyName(name), reply)],
  ]
}

function messageOf(name: string, codec: Codec<unknown>): Json {
  return { name, contentType: codec.contentType, payload: payloadOf(codec), 'x-skein': { schemaId: codec.schemaId } }
}

/** A JSON Schema as it is; any other schema language under its own name. */
function payloadOf(codec: Codec<unknown>): unknown {
  if (codec.format === 'json-schema') return JSON.parse(JSON.stringify(codec.schema))
  return { schemaFormat: codec.contentType, schema: codec.schema ?? {} }
}

function parametersOf(channel: AnyChannel): Json {
  return Object.fromEntries(
    channel.subject.fields.map((field) => {
      const orders = field === channel.key ? '; messages of one value stay in order' : ''
      return [field, { description: `One level of the subject${orders}` }]
    }),
  )
}

function kafkaBinding({ topic, topicSpec }: AnyChannel): Json {
  return { topic, partitions: topicSpec.partitions ?? 1, bindingVersion: KAFKA_BINDING_VERSION }
}

function skeinOf(channel: AnyChannel): Json {
  const { intent, topic, type, key, topicSpec } = channel
  return withoutUndefined({
    intent,
    topic,
    type,
    key,
    durability: topicSpec.durability ?? (intent === 'event' || intent === 'command' ? 'safe' : undefined),
    retention: topicSpec.retention,
    ttlMs: topicSpec.ttlMs,
    ...(intent === 'command' ? deadlinesOf(channel as CommandChannel<unknown, unknown>) : {}),
    ...(intent === 'query' ? { timeoutMs: (channel as QueryChannel<unknown, unknown>).timeoutMs } : {}),
  })
}

function deadlinesOf(command: CommandChannel<unknown, unknown>): Json {
  const { startWithinMs, completeWithinMs, overlap, idempotent } = command
  return { startWithinMs, completeWithinMs, overlap, idempotent }
}

function replyOf(channel: AnyChannel): Codec<unknown> | undefined {
  if (channel.intent !== 'command' && channel.intent !== 'query') return undefined
  return (channel as CommandChannel<unknown, unknown>).reply
}

function replyName(name: string): string {
  return `${name}.reply`
}

function reference(...path: readonly string[]): Json {
  return { $ref: `#/${path.join('/')}` }
}

function withoutUndefined(source: Json): Json {
  return Object.fromEntries(Object.entries(source).filter(([, value]) => value !== undefined))
}
