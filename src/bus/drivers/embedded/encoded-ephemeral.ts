import { checkRecords, recordCursor } from '../../../log/index.ts'
import type { EncodedReceipt, EncodedWrite, Message } from '../../index.ts'
import { TTL_HEADER } from '../../kit/index.ts'
import type { EphemeralTopic } from './ephemeral-topic.ts'

const NEVER = new AbortController().signal

/** Hands a batch that a client encoded to the readers that are there, and waits for those that ask for it. */
export async function writeEphemeral(topic: EphemeralTopic, write: EncodedWrite): Promise<EncodedReceipt> {
  checkRecords(write.body)
  const { receipt, slow } = topic.publish(messagesOf(write))
  await Promise.all(slow.map((reader) => reader.room(NEVER)))
  const { accepted, duplicates, durability, positions } = receipt
  return { last: positions[0]!, accepted, duplicates, durability, repeated: false }
}

function messagesOf(write: EncodedWrite): Message[] {
  const messages: Message[] = []
  const cursor = recordCursor(write.body, 0, write.firstTimestampMs)
  while (cursor.next()) {
    const headers = cursor.headers()
    const ttl = headers[TTL_HEADER]
    messages.push({
      subject: cursor.subject,
      key: cursor.key,
      // A copy: a small message that waits for its reader must not keep the whole frame.
      value: cursor.isTombstone ? null : new Uint8Array(cursor.valueBytes()),
      headers,
      ttlMs: ttl === undefined ? undefined : Number(ttl),
      timestampMs: cursor.timestampMs,
    })
  }
  return messages
}
