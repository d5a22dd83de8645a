import type { Msg } from '@nats-io/transport-node'
import { type Gathering, gatherAnswers } from './gather-answers.ts'
import { type Fate, NO_LEADER, type OutgoingMessage, type PubAck } from './publishing.ts'

/**
 * Publishes messages one after another without waiting in between, and gathers the answers. Resolves to what became of
 * each: all of them, or as many as were answered when the connection broke or nothing came for `silenceMs`.
 */
export async function publishWindow(
  messages: readonly OutgoingMessage[],
  by: Gathering,
): Promise<ReadonlyArray<Fate | undefined>> {
  const fates = new Array<Fate | undefined>(messages.length).fill(undefined)
  let left = messages.length
  const { subject: reply, over } = gatherAnswers(by, (rest, message) => {
    const index = Number.parseInt(rest, 36)
    if (fates[index] !== undefined) return false
    fates[index] = fateOf(message)
    left -= 1
    return left === 0
  })
  for (const [index, { subject, headers, payload }] of messages.entries()) {
    by.connection.publish(subject, payload, { headers, reply: `${reply}.${index.toString(36)}` })
  }
  await over
  return fates
}

function fateOf(message: Msg): Fate {
  if (message.data.length === 0) return { state: 'refused', error: NO_LEADER }
  const ack = message.json<PubAck>()
  if (ack.error !== undefined) return { state: 'refused', error: ack.error }
  return { state: 'stored', sequence: ack.seq!, duplicate: ack.duplicate === true }
}
