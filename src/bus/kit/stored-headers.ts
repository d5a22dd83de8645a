import type { Headers, Message } from '../message.ts'

/** Header names under which parts of a message travel in a stored record. */
export const ID_HEADER = 'id'
/** Milliseconds from the append after which no reader is given the message. */
export const TTL_HEADER = 'skeinttl'

/** The headers a message is stored with. The same object comes back when nothing has to be added: it is encoded once. */
export function storedHeaders(message: Message): Headers | undefined {
  const { headers, id, ttlMs } = message
  if (id === undefined && ttlMs === undefined) return headers
  if (ttlMs === undefined) return headers === undefined ? { id: id! } : { ...headers, id: id! }
  const stored: Record<string, string> = { ...headers, [TTL_HEADER]: String(ttlMs) }
  if (id !== undefined) stored[ID_HEADER] = id
  return stored
}
