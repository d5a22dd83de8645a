import type { Lag } from '../../index.ts'
import type { Connection } from './connection.ts'
import { directGet } from './direct-get.ts'
import type { LogTopic } from './log-topic.ts'
import { streamEnds } from './start-sequence.ts'

/** How long ago the oldest message from an offset on was appended, by the server's clock; 0 when there is none. */
export async function secondsBehind(
  connection: Connection,
  of: { readonly topic: LogTopic; readonly partition: number; readonly offset: number },
): Promise<number> {
  const { topic, partition, offset } = of
  const oldest = await directGet(connection, {
    stream: topic.names.stream(partition),
    request: { seq: offset + 1, next_by_subj: `${topic.names.prefix(partition)}>` },
  })
  return oldest === undefined ? 0 : Math.max(0, connection.serverNowMs - oldest.appendedAtMs) / 1_000
}

/** How far a group is behind in one partition. */
export async function lagOfPartition(
  connection: Connection,
  of: {
    readonly topic: LogTopic
    readonly group: string
    readonly partition: number
    readonly committed: number
    /** Nothing that concerns the group is left, whatever the end is. */
    readonly isCaughtUp: () => boolean
  },
): Promise<Lag> {
  const { topic, group, partition, committed } = of
  const { first, end } = await streamEnds(connection, topic.names.stream(partition))
  const from = Math.max(committed, first - 1)
  const messages = of.isCaughtUp() ? 0 : Math.max(0, end - 1 - from)
  const seconds = messages === 0 ? 0 : await secondsBehind(connection, { topic, partition, offset: from })
  return { topic: topic.settings.name, group, partition, messages, seconds }
}
