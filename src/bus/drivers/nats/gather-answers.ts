import type { Msg } from '@nats-io/transport-node'
import type { AckInbox } from './ack-inbox.ts'
import type { Connection } from './connection.ts'

/** By whom, and how long one waits while nothing comes. */
export interface Gathering {
  readonly connection: Connection
  readonly inbox: AckInbox
  readonly silenceMs: number
}

/**
 * Hears the answers below a subject of its own until `onAnswer` says that all are there, the connection breaks, or nothing
 * came for `silenceMs`.
 */
export function gatherAnswers(
  by: Gathering,
  onAnswer: (rest: string, message: Msg) => boolean,
): { readonly subject: string; readonly over: Promise<void> } {
  const { connection, inbox, silenceMs } = by
  const { promise: over, resolve } = Promise.withResolvers<void>()
  let isMoving = true
  const finish = () => {
    timer.cancel()
    answers.close()
    forget()
    resolve()
  }
  const answers = inbox.open((rest, message) => {
    isMoving = true
    if (onAnswer(rest, message)) finish()
  })
  const forget = connection.listen({ onDisconnect: finish, onClosed: finish })
  const look = () => {
    if (!isMoving) return finish()
    isMoving = false
    timer = connection.clock.setTimer(look, silenceMs)
  }
  let timer = connection.clock.setTimer(look, silenceMs)
  return { subject: answers.subject, over }
}
