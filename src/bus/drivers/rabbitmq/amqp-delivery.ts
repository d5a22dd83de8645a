import type { Message as AmqpMessage, ConsumeMessage } from 'amqplib'
import type { Delivery, Headers, Position } from '../../index.ts'
import {
  FROM_HEADER,
  ID_HEADER,
  KEY_HEADER,
  SUBJECT_HEADER,
  TIME_HEADER,
  TOMBSTONE_HEADER,
  TTL_HEADER,
} from './envelope.ts'

const NO_HEADERS: Readonly<Record<string, unknown>> = Object.freeze({})
/** Ours, and the broker's own. */
const HIDDEN: ReadonlySet<string> = new Set([
  FROM_HEADER,
  ID_HEADER,
  KEY_HEADER,
  SUBJECT_HEADER,
  TIME_HEADER,
  TOMBSTONE_HEADER,
  TTL_HEADER,
  'x-stream-offset',
  'x-delivery-count',
  'x-death',
  'x-first-death-exchange',
  'x-first-death-queue',
  'x-first-death-reason',
])

/** Where a delivery stands, and how it was given. */
export interface DeliveryPlace {
  readonly topic: string
  readonly partition: number
  readonly sequence: number
  readonly attempt: number
  /** Of the assignment under which it was given. */
  readonly generation: number
}

/** A message as the broker gave it: headers are looked at when asked for. */
export class AmqpDelivery implements Delivery {
  readonly message: ConsumeMessage
  readonly place: DeliveryPlace

  constructor(message: ConsumeMessage, place: DeliveryPlace) {
    this.message = message
    this.place = place
  }

  get topic(): string {
    return this.place.topic
  }

  get attempt(): number {
    return this.place.attempt
  }

  get position(): Position {
    return { partition: this.place.partition, sequence: this.place.sequence }
  }

  get subject(): string {
    return subjectOf(this.message)
  }

  get key(): string | undefined {
    return headerOf(this.message, KEY_HEADER)
  }

  get value(): Uint8Array | null {
    if (headerOf(this.message, TOMBSTONE_HEADER) !== undefined) return null
    return this.message.content
  }

  text(): string {
    return this.message.content.toString()
  }

  get headers(): Headers {
    const headers: Record<string, string> = {}
    const all = headersOf(this.message)
    for (const name in all) if (!HIDDEN.has(name)) headers[name] = String(all[name])
    return headers
  }

  get id(): string | undefined {
    return (this.message.properties.messageId as string | undefined) ?? headerOf(this.message, ID_HEADER)
  }

  get timestampMs(): number {
    const own = headerOf(this.message, TIME_HEADER)
    return own === undefined ? this.appendedAtMs : Number(own)
  }

  /** By the writer's clock: AMQP 0-9-1 does not carry the broker's. */
  get appendedAtMs(): number {
    return originOf(this.message).sentAtMs
  }
}

/** Messages of one key keep their order: the key, or the subject where there is none. */
export function orderKeyOf(message: ConsumeMessage): string {
  return headerOf(message, KEY_HEADER) ?? subjectOf(message)
}

export function subjectOf(message: ConsumeMessage): string {
  const { routingKey } = message.fields
  return headerOf(message, SUBJECT_HEADER) ?? routingKey.slice(routingKey.indexOf('.') + 1)
}

/** Who sent a message, as which of theirs, and when. */
export interface Origin {
  /** Undefined for a message that no writer of ours sent. */
  readonly producer: string | undefined
  readonly sequence: number
  readonly sentAtMs: number
}

export function originOf(message: ConsumeMessage): Origin {
  const from = headerOf(message, FROM_HEADER)
  if (from === undefined) return { producer: undefined, sequence: 0, sentAtMs: strangerTimeMs(message) }
  const first = from.indexOf(' ')
  const second = from.indexOf(' ', first + 1)
  return {
    producer: from.slice(0, first),
    sequence: Number(from.slice(first + 1, second)),
    sentAtMs: Number(from.slice(second + 1)),
  }
}

/** The property `timestamp` of AMQP is in seconds. */
function strangerTimeMs(message: ConsumeMessage): number {
  const { timestamp } = message.properties
  return typeof timestamp === 'number' ? timestamp * 1_000 : 0
}

/** A message lives as long as it says, from its sending on. */
export function isExpired(message: ConsumeMessage, nowMs: number): boolean {
  const ttl = headerOf(message, TTL_HEADER)
  return ttl !== undefined && originOf(message).sentAtMs + Number(ttl) <= nowMs
}

export function headerOf(message: AmqpMessage, name: string): string | undefined {
  const value = headersOf(message)[name]
  return value === undefined || value === null ? undefined : String(value)
}

export function streamOffsetOf(message: ConsumeMessage): number {
  return Number(headersOf(message)['x-stream-offset'])
}

function headersOf(message: AmqpMessage): Readonly<Record<string, unknown>> {
  return message.properties.headers ?? NO_HEADERS
}
