import type { Headers, Message } from '../../../index.ts'
import { storedHeaders } from '../../../kit/index.ts'
import { SUBJECT_NAME, TIME_NAME, wireName } from './header-names.ts'
import type { TextBuffer } from './text.ts'
import { putVarint, varintBytes } from './varint.ts'

/** Bytes of a batch (magic 2) before its records. */
export const BATCH_HEAD_BYTES = 61
const SLAB_BYTES = 16 * 1024
const RECORD_HEAD_BYTES_MAX = 64
const SUBJECT_NAME_BYTES = Buffer.from(SUBJECT_NAME)

interface EncodedHeaders {
  readonly count: number
  readonly bytes: Buffer
}

const NO_HEADERS: EncodedHeaders = { count: 0, bytes: Buffer.alloc(0) }

/** Records of one batch, before its head is written and its body compressed. */
export interface EncodedBatch {
  /** The first `BATCH_HEAD_BYTES` are free for the head; the records follow. */
  readonly bytes: Buffer
  readonly count: number
  readonly firstTimestampMs: number
  readonly maxTimestampMs: number
}

export interface BatchEncoderOptions {
  readonly topic: string
  /** Write the message's time into a header too. */
  readonly keepsTime: boolean
}

/**
 * Encodes messages straight into one buffer as records of Kafka's format 2 (Kafka protocol guide, "Record Batch"). Headers
 * given as the same object are encoded once.
 */
export class BatchEncoder {
  readonly #topic: string
  readonly #keepsTime: boolean
  #bytes: Buffer
  #at = BATCH_HEAD_BYTES
  #count = 0
  #firstTimestampMs = 0
  #maxTimestampMs = 0
  #lastHeaders: Headers | undefined
  #lastEncoded: EncodedHeaders = NO_HEADERS

  constructor(options: BatchEncoderOptions) {
    this.#topic = options.topic
    this.#keepsTime = options.keepsTime
    this.#bytes = Buffer.allocUnsafeSlow(SLAB_BYTES)
  }

  get count(): number {
    return this.#count
  }

  get byteLength(): number {
    return this.#at
  }

  add(message: Message, nowMs: number): void {
    const timestampMs = message.timestampMs ?? nowMs
    if (this.#count === 0) {
      this.#firstTimestampMs = timestampMs
      this.#maxTimestampMs = timestampMs
    } else if (timestampMs > this.#maxTimestampMs) this.#maxTimestampMs = timestampMs
    const { key, value } = message
    const headers = this.#headersOf(message, timestampMs)
    const subject = message.subject === this.#topic ? undefined : message.subject
    const keyBytes = key === undefined ? -1 : Buffer.byteLength(key)
    const valueBytes = value === null ? -1 : typeof value === 'string' ? Buffer.byteLength(value) : value.byteLength
    const subjectBytes = subject === undefined ? -1 : Buffer.byteLength(subject)
    const timeDelta = timestampMs - this.#firstTimestampMs
    const headerCount = headers.count + (subject === undefined ? 0 : 1)
    const length =
      1 +
      varintBytes(timeDelta) +
      varintBytes(this.#count) +
      fieldBytes(keyBytes) +
      fieldBytes(valueBytes) +
      varintBytes(headerCount) +
      (subject === undefined
        ? 0
        : varintBytes(SUBJECT_NAME_BYTES.length) + SUBJECT_NAME_BYTES.length + fieldBytes(subjectBytes)) +
      headers.bytes.length
    this.#reserve(length + RECORD_HEAD_BYTES_MAX)
    const target = this.#bytes
    let at = putVarint(target, this.#at, length)
    target[at] = 0
    at = putVarint(target, at + 1, timeDelta)
    at = putVarint(target, at, this.#count)
    at = putText(target, at, key, keyBytes)
    at =
      typeof value === 'string' || value === null ? putText(target, at, value, valueBytes) : putBytes(target, at, value)
    at = putVarint(target, at, headerCount)
    if (subject !== undefined) {
      at = putBytes(target, at, SUBJECT_NAME_BYTES)
      at = putText(target, at, subject, subjectBytes)
    }
    target.set(headers.bytes, at)
    this.#at = at + headers.bytes.length
    this.#count += 1
  }

  #headersOf(message: Message, timestampMs: number): EncodedHeaders {
    let headers = storedHeaders(message)
    if (this.#keepsTime) headers = { ...headers, [TIME_NAME]: String(timestampMs) }
    if (headers === undefined) return NO_HEADERS
    if (headers === this.#lastHeaders) return this.#lastEncoded
    this.#lastEncoded = encodeHeaders(headers)
    this.#lastHeaders = headers
    return this.#lastEncoded
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#at + bytes))
    this.#bytes.copy(larger, 0, 0, this.#at)
    this.#bytes = larger
  }

  /** What was gathered; the encoder must not be used again. */
  finish(): EncodedBatch {
    return {
      bytes: this.#bytes.subarray(0, this.#at),
      count: this.#count,
      firstTimestampMs: this.#firstTimestampMs,
      maxTimestampMs: this.#maxTimestampMs,
    }
  }
}

function fieldBytes(length: number): number {
  return length < 0 ? 1 : varintBytes(length) + length
}

function putText(target: Buffer, at: number, text: string | null | undefined, bytes: number): number {
  const start = putVarint(target, at, bytes)
  if (bytes <= 0) return start
  ;(target as TextBuffer).utf8Write(text!, start, bytes)
  return start + bytes
}

function putBytes(target: Buffer, at: number, bytes: Uint8Array): number {
  const start = putVarint(target, at, bytes.byteLength)
  target.set(bytes, start)
  return start + bytes.byteLength
}

function encodeHeaders(headers: Headers): EncodedHeaders {
  let count = 0
  let length = 0
  const parts: Buffer[] = []
  for (const name in headers) {
    for (const text of [wireName(name), headers[name]!]) {
      const bytes = Buffer.from(text)
      parts.push(bytes)
      length += fieldBytes(bytes.length)
    }
    count += 1
  }
  const encoded = Buffer.allocUnsafe(length)
  let at = 0
  for (const part of parts) at = putBytes(encoded, at, part)
  return { count, bytes: encoded }
}
