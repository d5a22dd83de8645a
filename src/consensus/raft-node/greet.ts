import type { Clock, Connection } from '../../core/index.ts'
import { SkeinError } from '../../core/index.ts'
import { FRAME, GREET_WITHIN_MS, GREETING_BYTES_MAX } from './frame-kinds.ts'
import { FramedConnection } from './framed-connection.ts'
import { encodeFrame } from './frames.ts'
import { decodeGreetingAnswer, encodeGreeting, type Greeting, type Identity } from './greeting.ts'

/** Says who is calling and hears who was reached. Rejects with the peer's refusal, `malformed-frame` or `connection-lost`. */
export function greet(
  connection: Connection,
  greeting: Greeting,
  clock: Clock,
): Promise<{ readonly framed: FramedConnection; readonly peer: Identity }> {
  const { promise, resolve, reject } = Promise.withResolvers<{
    readonly framed: FramedConnection
    readonly peer: Identity
  }>()
  const timer = clock.setTimer(() => framed.cut(unanswered(connection)), GREET_WITHIN_MS)
  const framed = new FramedConnection(connection, {
    bytesMax: GREETING_BYTES_MAX,
    onFrame: (body) => {
      const peer = readAnswer(body, greeting)
      timer.cancel()
      resolve({ framed, peer })
    },
    onEnd: (error) => {
      timer.cancel()
      reject(error ?? unanswered(connection))
    },
  })
  framed.write([encodeFrame(FRAME.greeting, encodeGreeting(greeting))])
  return promise
}

function readAnswer(body: Buffer, { to }: Greeting): Identity {
  if (body[0] !== FRAME.answer) throw new SkeinError('malformed-frame', 'Cannot speak with a peer: it does not greet')
  const answer = decodeGreetingAnswer(body.subarray(1))
  if ('refusal' in answer)
    throw new SkeinError(answer.refusal.code, answer.refusal.message, { details: { refusedBy: to } })
  if (answer.node === to) return answer
  const message = `Cannot speak with node ${to}: at its address is node ${answer.node}; correct the addresses`
  throw new SkeinError('bad-input', message)
}

function unanswered({ remote }: Connection): SkeinError {
  return new SkeinError('connection-lost', `Cannot speak with ${remote}: it ended the connection or does not answer`, {
    retryable: true,
  })
}
