import type { Position, StartPosition } from '../../index.ts'
import type { Connection } from './connection.ts'
import type { LogTopic } from './log-topic.ts'
import type { StreamInfo } from './stream-config.ts'

/** Sequences of a stream: the first that is there, and one past the last. */
export interface StreamEnds {
  readonly first: number
  readonly end: number
  readonly bytes: number
}

export async function streamEnds(connection: Connection, stream: string): Promise<StreamEnds> {
  const { state } = await connection.api<StreamInfo>(`STREAM.INFO.${stream}`)
  return { first: Math.max(1, state.first_seq), end: state.last_seq + 1, bytes: state.bytes }
}

/** The sequence that a start position means in a partition; undefined when it names only other partitions. */
export async function startSequence(
  connection: Connection,
  at: { readonly topic: LogTopic; readonly partition: number; readonly start: StartPosition },
): Promise<number | undefined> {
  const { topic, partition, start } = at
  const stream = topic.names.stream(partition)
  if (start === 'earliest') return (await streamEnds(connection, stream)).first
  if (start === 'latest') return (await streamEnds(connection, stream)).end
  if ('timestampMs' in start) return sequenceAtTime(connection, stream, start.timestampMs)
  const positions: readonly Position[] = 'partition' in start ? [start] : start
  const found = positions.find((position) => position.partition === partition)
  return found === undefined ? undefined : found.sequence + 1
}

/** A consumer knows where it would begin: it is asked, and goes. */
async function sequenceAtTime(connection: Connection, stream: string, timestampMs: number): Promise<number> {
  const name = `skein-${connection.newId()}`
  const config = {
    name,
    ack_policy: 'none',
    deliver_policy: 'by_start_time',
    opt_start_time: new Date(timestampMs).toISOString(),
    inactive_threshold: 5_000_000_000,
    mem_storage: true,
    num_replicas: 1,
  }
  const created = await connection.api<{ delivered: { stream_seq: number } }>(`CONSUMER.CREATE.${stream}.${name}`, {
    stream_name: stream,
    config,
  })
  await connection.api(`CONSUMER.DELETE.${stream}.${name}`)
  return created.delivered.stream_seq + 1
}
