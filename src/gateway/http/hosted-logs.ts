import Type from 'typebox'
import { nearest, SkeinError } from '../../core/index.ts'
import type { GatewayServices, HostedLog } from './services.ts'

export const logParams = Type.Object({ log: Type.String({ description: 'the log, as the configuration names it' }) })

export function hostedLog({ logs }: GatewayServices, name: string): HostedLog {
  const found = logs?.get(name)
  if (found !== undefined) return found
  const names = [...(logs?.keys() ?? [])]
  const near = nearest(name, names)
  const hint = near === undefined ? `it has ${names.join(', ') || 'none'}` : `did you mean "${near}"?`
  const message = `Cannot use the replicated log "${name}": this node is no member of it; ${hint}`
  throw new SkeinError('not-found', message, { details: { log: name, nearest: near } })
}

/** What only the leader does: elsewhere the refusal says where the leader's HTTP is, where that is known. */
export async function atLeader<Result>(hosted: HostedLog, act: () => Promise<Result>): Promise<Result> {
  try {
    return await act()
  } catch (error) {
    if (!(error instanceof SkeinError) || error.code !== 'not-leader') throw error
    const leader = String(error.details.leader ?? hosted.status.leader?.id ?? 0)
    const url = hosted.urlOf(leader)
    if (url === undefined) throw error
    throw new SkeinError('not-leader', `${error.message}, at ${url}`, {
      cause: error,
      retryable: true,
      details: { ...error.details, url },
    })
  }
}
