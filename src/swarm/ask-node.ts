import type { Requests } from '../bus/index.ts'
import { SkeinError } from '../core/index.ts'
import { decodeAnswer, textOf } from './protocol.ts'

/** Asks the swarm's owner. Rejects with what it refused, or with `no-responder`, `timeout`, `connection-lost`. */
export async function askNode<T>(
  requests: Requests,
  request: { readonly subject: string; readonly body: unknown },
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
): Promise<T> {
  const { timeoutMs, signal } = options
  const asked = { subject: request.subject, value: JSON.stringify(request.body) }
  const reply = await requests.ask(asked, signal ? { timeoutMs, signal } : { timeoutMs })
  return decodeAnswer<T>(textOf(reply.value))
}

/** Whether the node may well answer the same question a little later. */
export function mayAskAgain(error: unknown): boolean {
  if (!(error instanceof SkeinError)) return false
  return (
    error.retryable || error.code === 'timeout' || error.code === 'connection-lost' || error.code === 'no-responder'
  )
}
