import type { Msg } from '@nats-io/transport-node'
import { type Gathering, gatherAnswers } from './gather-answers.ts'
import { isBatchRefusal } from './nats-error.ts'
import { type Fate, NO_LEADER, type OutgoingMessage, type PubAck } from './publishing.ts'

/** How often the server tells how far it is, in messages: it may, and it shows that something moves. */
const PROGRESS_EVERY = 500
/** What the server does with a message of a batch: the last token but one of where it answers. */
const [START, APPEND, COMMIT, END] = [0, 1, 2, 3] as const
const NOTHING = new Uint8Array(0)

interface Part {
  readonly payload: Uint8Array
  readonly operation: number
}

/** What the server says of a batch: its end (`batch`), a message of it that it refused (`error`), or how far it is. */
interface BatchAnswer extends PubAck {
  readonly batch?: string
  /** How many messages from the first on are stored. */
  readonly count?: number
}

/**
 * Publishes messages as one batch of the server's fast ingest (nats-server 2.14, ADR-50): stored as they come, with one
 * answer for all of them. The batch ends at the first message that is missing or refused, and nothing behind that is stored. Resolves to
 * what became of each: undefined where the server did not say, or did not take the batch as such. Stored ones have the sequence
 * of the last.
 *
 * Only for messages whose ids are new: of repeats the server tells no more than that there were some.
 */
export async function publishBatch(
  messages: readonly OutgoingMessage[],
  by: Gathering,
): Promise<ReadonlyArray<Fate | undefined>> {
  const fates = new Array<Fate | undefined>(messages.length).fill(undefined)
  const last = messages.length - 1
  const id = by.connection.newId()
  let left = messages.length
  const publish = (index: number, what: Pick<Partial<OutgoingMessage>, 'headers'> & Part) => {
    const { headers, payload, operation } = what
    const answerTo = `${reply}.${id}.${PROGRESS_EVERY}.fail.${index + 1}.${operation}.$FI`
    by.connection.publish(messages[index]!.subject, payload, { reply: answerTo, ...(headers && { headers }) })
  }
  const { subject: reply, over } = gatherAnswers(by, (rest, message) => {
    const answer = answerOf(message)
    if (answer.batch !== undefined && answer.error === undefined) {
      noteStored(fates, answer)
      return true
    }
    if (answer.error === undefined) return false
    const index = indexOf(rest)
    if (fates[index] === undefined && !isBatchRefusal(answer.error)) {
      fates[index] = { state: 'refused', error: answer.error }
      // The one that was to end the batch: something else has to, or the server waits for it.
      if (index === last) publish(index, { payload: NOTHING, operation: END })
    }
    left -= 1
    return left === 0
  })
  for (const [index, { headers, payload }] of messages.entries()) {
    const operation = index === last ? COMMIT : index === 0 ? START : APPEND
    publish(index, { headers, payload, operation })
  }
  await over
  return fates
}

function answerOf(message: Msg): BatchAnswer {
  return message.data.length === 0 ? { error: NO_LEADER } : message.json<BatchAnswer>()
}

/** A message that could not be written has said so before: the server counts it all the same. */
function noteStored(fates: Array<Fate | undefined>, { seq, count }: BatchAnswer): void {
  const stored: Fate = { state: 'stored', sequence: seq!, duplicate: false }
  for (let index = 0; index < count!; index += 1) fates[index] ??= stored
}

/** Of `<batch id>.<progress>.<gaps>.<number from 1>.<operation>.$FI`. */
function indexOf(rest: string): number {
  return Number(rest.split('.').at(-3)) - 1
}
