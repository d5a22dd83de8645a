import type { Channel, ConsumeMessage } from 'amqplib'
import { SkeinError } from '../../../core/index.ts'
import { streamOffsetOf } from './amqp-delivery.ts'
import type { Link } from './link.ts'
import { withChannel } from './with-channel.ts'

/** Credits of one look: the largest prefetch that AMQP 0-9-1 can write. */
const CREDITS_MAX = 65_535
const LOOKS_MAX = 5

/** The broker finds a time by whole chunks and its own clock; messages carry their writers'. */
export const TIME_MARGIN_MS = 10_000

export type StreamStart = number | 'first' | 'last' | { readonly seconds: number }

/** The argument of a consumer that says where in a stream it begins. */
export function offsetArgument(start: StreamStart): unknown {
  return typeof start === 'object' ? { '!': 'timestamp', value: start.seconds } : start
}

/**
 * What a stream holds now from `start` on, at most `credits` messages and the rest of their chunk. A consumer that is
 * cancelled at once is given what was committed when it came, and nothing else: the broker serves it before the cancel.
 */
export async function readNow(
  channel: Channel,
  stream: string,
  options: { readonly start: StreamStart; readonly credits?: number },
): Promise<ConsumeMessage[]> {
  const messages: ConsumeMessage[] = []
  const consumerTag = 'look'
  const offset = offsetArgument(options.start)
  await channel.prefetch(options.credits ?? CREDITS_MAX)
  const consuming = channel.consume(stream, (message) => message !== null && messages.push(message), {
    consumerTag,
    arguments: { 'x-stream-offset': offset },
  })
  await Promise.all([consuming, channel.cancel(consumerTag)])
  return messages
}

/** Everything a stream holds now from an offset on. */
export async function readAllNow(link: Link, stream: string, from: number): Promise<ConsumeMessage[]> {
  const all: ConsumeMessage[] = []
  for (let start = from; ; start = streamOffsetOf(all.at(-1)!) + 1) {
    const read = await withChannel(link, cannotRead(stream), (channel) => readNow(channel, stream, { start }))
    all.push(...read)
    if (read.length === 0) return all
  }
}

export interface StreamEnds {
  /** Of the first message there is. */
  readonly start: number
  /** One past the last message there is. */
  readonly end: number
}

/** The ends of a stream now. An empty one begins and ends at 0. */
export function streamEnds(link: Link, stream: string): Promise<StreamEnds> {
  return withChannel(link, cannotRead(stream), async (channel) => {
    const last = await lastChunk(channel, stream)
    if (last.length === 0) return { start: 0, end: 0 }
    return { start: await firstOffset(channel, stream), end: streamOffsetOf(last.at(-1)!) + 1 }
  })
}

/** Empty only when look after look was: somebody would take the end for the beginning. */
async function lastChunk(channel: Channel, stream: string): Promise<readonly ConsumeMessage[]> {
  for (let looks = 0; looks < LOOKS_MAX; looks += 1) {
    const last = await readNow(channel, stream, { start: 'last' })
    if (last.length > 0) return last
  }
  return []
}

/** Of a stream that has messages. A look now and then comes back empty: what comes first must never be a guess. */
async function firstOffset(channel: Channel, stream: string): Promise<number> {
  for (let looks = 0; looks < LOOKS_MAX; looks += 1) {
    const [first] = await readNow(channel, stream, { start: 'first', credits: 1 })
    if (first !== undefined) return streamOffsetOf(first)
  }
  throw new SkeinError('connection-lost', `${cannotRead(stream)}: the broker gives nothing of it now; try again`, {
    retryable: true,
  })
}

function cannotRead(stream: string): string {
  return `Cannot read the stream "${stream}"`
}
