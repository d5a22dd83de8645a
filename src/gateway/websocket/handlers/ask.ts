import { isOwnTopic } from '../../../bus/index.ts'
import { SkeinError } from '../../../core/index.ts'
import type { CallResult, IncomingCall } from '../../../wire/index.ts'
import type { ConnectionContext } from '../connection-context.ts'
import { askHead, parseHead } from '../heads.ts'

/** Tells the node's own services over which connection a request came; a client cannot set it. */
const CONNECTION_HEADER = 'skeinconnection'
/** As much as a message may have. */
const HEADERS_BYTES_MAX = 65_535

/** A request of a client, passed on to whoever answers it. */
export async function ask(context: ConnectionContext, call: IncomingCall): Promise<CallResult> {
  const { subject, timeoutMs, headers, text } = parseHead(askHead, call.head)
  context.authorise?.(context.principal, 'ask', subject)
  await admit(context, subject, call.body.byteLength + checkedHeaderBytes(subject, headers))
  const reply = await context.bus.requests.ask(
    {
      subject,
      value: text ? textOf(call.body) : call.body,
      headers: { ...headers, [CONNECTION_HEADER]: context.connectionId },
    },
    { timeoutMs, signal: call.signal },
  )
  const isText = typeof reply.value === 'string'
  const body = typeof reply.value === 'string' ? Buffer.from(reply.value) : reply.value
  return { head: { headers: reply.headers, text: isText }, body: [body] }
}

/** Headers go along with every hop of a request. Throws `message-too-large`. */
function checkedHeaderBytes(subject: string, headers: Readonly<Record<string, string>> = {}): number {
  let bytes = 0
  for (const [name, value] of Object.entries(headers)) bytes += Buffer.byteLength(name) + Buffer.byteLength(value)
  if (bytes <= HEADERS_BYTES_MAX) return bytes
  const text = `Cannot ask "${subject}": its headers have ${bytes} bytes, at most ${HEADERS_BYTES_MAX}; put what is long into the value`
  throw new SkeinError('message-too-large', text, { details: { subject, bytes, bytesMax: HEADERS_BYTES_MAX } })
}

/** Of one agent's client: who of several asks is not said, nor under which principal. */
function admit({ admission, agents }: ConnectionContext, subject: string, bytes: number): Promise<void> | undefined {
  if (admission === undefined || isOwnTopic(subject)) return undefined
  const joined = agents()
  const [agent] = joined?.size === 1 ? joined : []
  return admission.admit({ principal: undefined, agent, topic: subject, messages: 1, bytes })
}

function textOf(body: Uint8Array): string {
  return Buffer.from(body.buffer, body.byteOffset, body.length).toString('utf8')
}
