import type { Reply, Request, Requests } from '../../bus/index.ts'
import { type ErrorCode, errorText, SkeinError } from '../../core/index.ts'
import { parseObject } from './inbox-row.ts'

export const OUTCOME_GET = 'skein.outcome.get'
export const INBOX_CLAIM = 'skein.inbox.claim'
export const INBOX_SETTLE = 'skein.inbox.settle'

/** Asks the node with JSON and gives its JSON; what it refuses is thrown here as it was there. */
export async function askNode(
  requests: Requests,
  subject: string,
  body: unknown,
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
): Promise<Record<string, unknown>> {
  const { timeoutMs, signal } = options
  const request = { subject, value: JSON.stringify(body) }
  const reply = await requests.ask(request, signal === undefined ? { timeoutMs } : { timeoutMs, signal })
  const fields = parseObject(textOf(reply.value))
  const error = fields.error as NodeError | undefined
  if (error === undefined) return fields
  throw new SkeinError(error.code, error.message, { retryable: error.retryable, details: error.details })
}

/** Answers such questions; errors travel in the reply, so that their code and their message arrive whole. */
export function answerJson(
  handle: (body: Record<string, unknown>) => Promise<unknown>,
): (request: Request) => Promise<Reply> {
  return async (request) => {
    try {
      return { value: JSON.stringify((await handle(parseObject(textOf(request.value)))) ?? {}) }
    } catch (error) {
      return { value: JSON.stringify({ error: nodeError(error) }) }
    }
  }
}

interface NodeError {
  readonly code: ErrorCode
  readonly message: string
  readonly retryable: boolean
  readonly details: Readonly<Record<string, unknown>>
}

function nodeError(error: unknown): NodeError {
  if (error instanceof SkeinError) {
    const { code, message, retryable, details } = error
    return { code, message, retryable, details }
  }
  return { code: 'io-failed', message: `Cannot answer: ${errorText(error)}`, retryable: false, details: {} }
}

function textOf(value: Uint8Array | string): string {
  return typeof value === 'string' ? value : Buffer.from(value).toString('utf8')
}
