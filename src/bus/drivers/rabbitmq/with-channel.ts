import type { Channel, ConfirmChannel } from 'amqplib'
import type { SkeinError } from '../../../core/index.ts'
import { amqpError } from './amqp-error.ts'
import type { Link } from './link.ts'

/** A broker that has just begun again is that long without some of its queues. */
const TRY_FOR_MS = 15_000
/** What breaks every connection it is asked over must end. */
const FRESH_STARTS_MAX = 5

/**
 * Does something on a channel of its own. When the connection breaks, or a queue has no leader yet, it is done again: what is
 * done must bear that. `action`: "Cannot …", for the error.
 */
export function withChannel<T>(link: Link, action: string, use: (channel: Channel) => Promise<T>): Promise<T> {
  return again(link, async () => {
    const channel = await (await link.connection()).channel()
    return useAndClose(channel, action, use)
  })
}

/** The same with a channel whose messages the broker confirms. */
export function withConfirmChannel<T>(
  link: Link,
  action: string,
  use: (channel: ConfirmChannel) => Promise<T>,
): Promise<T> {
  return again(link, async () => {
    const channel = await (await link.connection()).confirmChannel()
    return useAndClose(channel, action, use)
  })
}

/** `action`: "Cannot …", for the error. */
export async function useAndClose<C extends Channel, T>(
  channel: C,
  action: string,
  use: (channel: C) => Promise<T>,
): Promise<T> {
  try {
    return await use(channel)
  } catch (cause) {
    throw amqpError(cause, action)
  } finally {
    channel.close().catch(() => {})
  }
}

/** The time without a connection does not count: a broker may need longer to begin than its queues need after it. */
async function again<T>(link: Link, attempt: () => Promise<T>): Promise<T> {
  let isOver = link.deadline(TRY_FOR_MS)
  for (let failures = 1; ; failures += 1) {
    try {
      return await attempt()
    } catch (error) {
      if (!(error as SkeinError).retryable || isOver()) throw error
    }
    await link.pause(failures)
    if (link.current !== undefined || failures > FRESH_STARTS_MAX) continue
    await link.connection()
    isOver = link.deadline(TRY_FOR_MS)
  }
}
