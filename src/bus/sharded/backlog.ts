import { SkeinError } from '../../core/index.ts'
import type { Bus, Lag, TopicDescription } from '../bus.ts'
import type { Position } from '../message.ts'
import { endOf, type Generation, type Part } from './generations.ts'
import { outerLag } from './parts-reader.ts'
import { outerPosition } from './sharded-delivery.ts'
import type { ShardedTopic } from './sharded-topic.ts'

export interface PartitionBacklog {
  readonly start: Position
  /** Exclusive; of what counts. */
  readonly end: Position
  readonly bytes: number
  /** Between them. */
  readonly messages: number
}

/** What lies in each partition of a generation. */
export async function backlog(
  bus: Bus,
  topic: ShardedTopic,
  generation: Generation,
  parts: readonly Part[] = generation.parts,
): Promise<PartitionBacklog[]> {
  const described = await Promise.all(parts.map((part) => bus.admin.describeTopic(topic.innerName(part))))
  return described.flatMap(({ partitions }, index) =>
    partitions.map((partition) => backlogOf(partition, generation, parts[index]!)),
  )
}

function backlogOf(
  { start, end, bytes }: TopicDescription['partitions'][number],
  generation: Generation,
  part: Part,
): PartitionBacklog {
  const outer = { start: outerPosition(start, part), end: outerPosition(end, part) }
  const sealed = endOf(generation, outer.end.partition) ?? Number.POSITIVE_INFINITY
  const clamped = { ...outer.end, sequence: Math.min(outer.end.sequence, sealed) }
  return { start: outer.start, end: clamped, bytes, messages: Math.max(0, clamped.sequence - outer.start.sequence) }
}

/** The newest generation that a group has read; undefined for a group that has read none. */
export async function newestReadBy(bus: Bus, topic: ShardedTopic, group: string): Promise<number | undefined> {
  for (const generation of topic.generations.begun.toReversed()) {
    if ((await groupsOf(bus, topic, generation)).includes(group)) return generation.number
  }
  return undefined
}

/** All that have read any part of a generation. */
export async function groupsOf(bus: Bus, topic: ShardedTopic, { parts }: Generation): Promise<string[]> {
  const names = await Promise.all(parts.map((part) => bus.admin.listGroups(topic.innerName(part))))
  return [...new Set(names.flat())]
}

/** The lag of a group in each partition of a part; undefined where it has never read. */
export async function lagIn(
  bus: Bus,
  topic: ShardedTopic,
  at: { readonly part: Part; readonly group: string },
): Promise<readonly Lag[] | undefined> {
  try {
    const lags = await bus.admin.lag(topic.innerName(at.part), at.group)
    return lags.map((lag) => outerLag(lag, topic.name, at.part))
  } catch (error) {
    if (error instanceof SkeinError && error.code === 'not-found') return undefined
    throw error
  }
}

/** Whether a group has nothing left of some parts of a sealed generation. */
export async function isGroupDone(
  bus: Bus,
  topic: ShardedTopic,
  of: { readonly generation: Generation; readonly parts: readonly Part[]; readonly group: string },
): Promise<boolean> {
  const { generation, parts, group } = of
  for (const part of parts) {
    const lags = await lagIn(bus, topic, { part, group })
    const left = lags ?? (await backlog(bus, topic, generation, [part]))
    if (left.some(({ messages }) => messages > 0)) return false
  }
  return true
}
