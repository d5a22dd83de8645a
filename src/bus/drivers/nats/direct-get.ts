import type { Connection } from './connection.ts'
import { isApiError, MESSAGE_NOT_FOUND } from './nats-error.ts'
import { gotMessage, type StoredMessage } from './stored-message.ts'

/** For a replica to catch up. */
const BEHIND_MS = 20

export interface GetRequest {
  readonly seq?: number
  readonly next_by_subj?: string
}

/**
 * One message of a stream; undefined when it is not there. Any replica may answer, and one that is behind does not have
 * the newest: before a message counts as gone, the leader is asked.
 */
export async function directGet(
  connection: Connection,
  of: { readonly stream: string; readonly request: GetRequest },
): Promise<StoredMessage | undefined> {
  const body = JSON.stringify(of.request)
  for (;;) {
    const found = gotMessage(await connection.request(`$JS.API.DIRECT.GET.${of.stream}`, body))
    if (found !== undefined || (await isGone(connection, of))) return found
    await connection.clock.sleep(BEHIND_MS)
  }
}

async function isGone(
  connection: Connection,
  of: { readonly stream: string; readonly request: GetRequest },
): Promise<boolean> {
  try {
    await connection.api(`STREAM.MSG.GET.${of.stream}`, of.request)
    return false
  } catch (error) {
    if (isApiError(error, MESSAGE_NOT_FOUND)) return true
    throw error
  }
}
