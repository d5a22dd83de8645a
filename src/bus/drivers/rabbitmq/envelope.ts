import type { Options } from 'amqplib'
import { SkeinError } from '../../../core/index.ts'
import type { Message } from '../../index.ts'
import type { Keeping } from './topic-plan.ts'

/** "producer sequence sentAtMs": who wrote it, its number there, and when, by the writer's clock. */
export const FROM_HEADER = 'skein-from'
export const KEY_HEADER = 'skein-key'
/** Event time, where it is not the time of sending. */
export const TIME_HEADER = 'skein-time'
/** Milliseconds from the sending after which no reader is given it. */
export const TTL_HEADER = 'skein-ttl'
/** There is no value: not even an empty one. */
export const TOMBSTONE_HEADER = 'skein-tombstone'
/** Where it does not fit into the routing key. */
export const SUBJECT_HEADER = 'skein-subject'
/** Where it does not fit into the property. */
export const ID_HEADER = 'skein-id'

const SHORT_BYTES_MAX = 255
const TRANSIENT = 1
const PERSISTENT = 2
const NOTHING = Buffer.alloc(0)

/** One message as it goes out: kept until it is confirmed, so that it can be sent again. */
export interface Outgoing {
  readonly partition: number
  readonly routingKey: string
  readonly content: Buffer
  readonly options: Options.Publish
}

export interface Stamp {
  readonly partition: number
  readonly producer: string
  readonly sequence: number
  readonly sentAtMs: number
  /** Of the topic: for messages that name none. */
  readonly ttlMs: number | undefined
  /** `log`: everything of a partition goes one way. Else the subject decides, and has to be in the routing key. */
  readonly keeping: Keeping
}

/** Puts a message into the shape of AMQP. The value is copied: the writer may use its buffer again. */
export function encodeMessage(message: Message, stamp: Stamp): Outgoing {
  const { subject, key, value, id, timestampMs } = message
  const ttlMs = message.ttlMs ?? stamp.ttlMs
  const headers: Record<string, string> = { ...message.headers }
  headers[FROM_HEADER] = `${stamp.producer} ${stamp.sequence} ${stamp.sentAtMs}`
  if (key !== undefined) headers[KEY_HEADER] = key
  if (timestampMs !== undefined && timestampMs !== stamp.sentAtMs) headers[TIME_HEADER] = String(timestampMs)
  if (ttlMs !== undefined) headers[TTL_HEADER] = String(ttlMs)
  if (value === null) headers[TOMBSTONE_HEADER] = '1'
  // A kept message that no queue takes comes back; an ephemeral one has nobody to be for.
  const isKept = stamp.keeping !== 'ephemeral'
  const options: Options.Publish = { mandatory: isKept, deliveryMode: isKept ? PERSISTENT : TRANSIENT, headers }
  if (id !== undefined) {
    if (isShort(id)) options.messageId = id
    else headers[ID_HEADER] = id
  }
  const { partition } = stamp
  const routingKey = routingKeyOf(subject, stamp, headers)
  checkHeaders(subject, headers)
  return { partition, routingKey, content: contentOf(value), options }
}

/** Partition first, so that a log takes its partition and a work queue a partition and a filter of subjects. */
function routingKeyOf(subject: string, stamp: Stamp, headers: Record<string, string>): string {
  const { partition, keeping } = stamp
  const routingKey = `${partition}.${subject}`
  if (isShort(routingKey)) return routingKey
  if (keeping !== 'log') throw tooLongToRoute(subject)
  headers[SUBJECT_HEADER] = subject
  return String(partition)
}

/** The client encodes them into 64 KiB; beyond that it gives the connection up. */
const HEADERS_BYTES_MAX = 65_000
/** Of one header: the length of its name, its type, the length of its value. */
const HEADER_OVERHEAD_BYTES = 6
const UTF8_BYTES_MAX = 3

function checkHeaders(subject: string, headers: Readonly<Record<string, string>>): void {
  let characters = 0
  for (const name in headers) characters += name.length + headers[name]!.length + HEADER_OVERHEAD_BYTES
  if (characters * UTF8_BYTES_MAX <= HEADERS_BYTES_MAX) return
  let bytes = 0
  for (const name in headers)
    bytes += Buffer.byteLength(name) + Buffer.byteLength(headers[name]!) + HEADER_OVERHEAD_BYTES
  if (bytes <= HEADERS_BYTES_MAX) return
  throw new SkeinError(
    'message-too-large',
    `Cannot write to "${subject}": the message's headers take ${bytes} bytes, and AMQP's client encodes at most ${HEADERS_BYTES_MAX}; ` +
      'put what is long into the value',
    { details: { bytes, headersBytesMax: HEADERS_BYTES_MAX } },
  )
}

function isShort(text: string): boolean {
  return text.length * 3 <= SHORT_BYTES_MAX || Buffer.byteLength(text) <= SHORT_BYTES_MAX
}

function contentOf(value: Message['value']): Buffer {
  if (value === null) return NOTHING
  return Buffer.from(value as Uint8Array)
}

/** What a message counts for in a writer's window. */
export function byteLengthOf(outgoing: Outgoing): number {
  return OVERHEAD_BYTES + outgoing.content.byteLength + outgoing.routingKey.length
}

const OVERHEAD_BYTES = 64

function tooLongToRoute(subject: string): SkeinError {
  return new SkeinError(
    'bad-subject',
    `Cannot write "${subject.slice(0, 60)}…": RabbitMQ routes by at most ${SHORT_BYTES_MAX} bytes, partition included`,
    { details: { bytesMax: SHORT_BYTES_MAX } },
  )
}
