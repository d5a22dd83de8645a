import { SkeinError } from '../../../core/index.ts'
import type { Connection } from './connection.ts'

const AGAIN_MS = 100

/** Repeats what failed only because the servers could not be reached, until it is done or the signal says stop. */
export async function persist<T>(connection: Connection, signal: AbortSignal, action: () => Promise<T>): Promise<T> {
  for (;;) {
    await connection.connected(signal)
    try {
      return await action()
    } catch (error) {
      if (!(error instanceof SkeinError) || !isPassing(error)) throw error
    }
    await connection.clock.sleep(AGAIN_MS, { signal })
  }
}

function isPassing(error: SkeinError): boolean {
  return (
    error.code === 'connection-lost' || error.code === 'timeout' || (error.code === 'overloaded' && error.retryable)
  )
}
