import type { Msg } from '@nats-io/transport-node'
import type { AckInbox } from './ack-inbox.ts'
import type { Connection } from './connection.ts'
import { type Fate, NO_LEADER, type OutgoingMessage, type PubAck } from './publishing.ts'

/**
 * Publishes messages one after another without waiting in between, and gathers the answers. Resolves to what became of
 * each: all of them, or as many as were answered when the connection broke or nothing came for `silenceMs`.
 */
export function publishWindow(
  messages: readonly OutgoingMessage[],
  by: { readonly connection: Connection; readonly inbox: AckInbox; readonly silenceMs: number },
): Promise<ReadonlyArray<Fate | undefined>> {
  const { connection, inbox, silenceMs } = by
  const fates = new Array<Fate | undefined>(messages.length).fill(undefined)
  const { promise, resolve } = Promise.withResolvers<ReadonlyArray<Fate | undefined>>()
  let left = messages.length
  let isMoving = true
  const finish = () => {
    timer.cancel()
    reply.close()
    forget()
    resolve(fates)
  }
  const reply = inbox.open((rest, message) => {
    const index = Number.parseInt(rest, 36)
    if (fates[index] !== undefined) return
    fates[index] = fateOf(message)
    isMoving = true
    left -= 1
    if (left === 0) finish()
  })
  const forget = connection.listen({ onDisconnect: finish, onClosed: finish })
  const look = () => {
    if (!isMoving) return finish()
    isMoving = false
    timer = connection.clock.setTimer(look, silenceMs)
  }
  let timer = connection.clock.setTimer(look, silenceMs)
  for (const [index, { subject, headers, payload }] of messages.entries()) {
    connection.publish(subject, payload, { headers, reply: `${reply.subject}.${index.toString(36)}` })
  }
  return promise
}

function fateOf(message: Msg): Fate {
  if (message.data.length === 0) return { state: 'refused', error: NO_LEADER }
  const ack = message.json<PubAck>()
  if (ack.error !== undefined) return { state: 'refused', error: ack.error }
  return { state: 'stored', sequence: ack.seq!, duplicate: ack.duplicate === true }
}
