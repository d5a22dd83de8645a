import { SkeinError } from '../../core/index.ts'

/** How the messages of a topic are divided beside their keys: by a level of their subjects. */
export interface ShardsByLevel {
  /** Of the subject, behind the topic's name: 1 is `north` in `swarm.telemetry.north.drone-7` of `swarm.telemetry`. */
  readonly level: number
  /** What may stand there. Each has partitions of its own. */
  readonly values: readonly string[]
}

/**
 * What stands in the growth topic of a sharded topic. Its order decides: everybody who reads it in order knows the same
 * generations, and who may grow the topic.
 */
export type GrowthRecord =
  /**
   * The first one: the partitions that generation 1 has for each shard, and for how long nobody need look whether
   * it grows. Any later one is passed over.
   */
  | { readonly kind: 'began'; readonly partitions: number; readonly leaseMs: number; readonly shards?: ShardsByLevel }
  /** From here on only this grower's records count. */
  | { readonly kind: 'claim'; readonly grower: string }
  /** Nothing new may be written to the newest generation; the next one has so many partitions for each shard. */
  | ({ readonly kind: 'closing'; readonly grower: string; readonly generation: number } & NextGeneration)
  /** Of each partition of a generation: the end of what counts, exclusive. The next one is open. */
  | { readonly kind: 'sealed'; readonly grower: string; readonly generation: number; readonly ends: readonly number[] }

export interface NextGeneration {
  readonly partitions: number
  /** Undefined: not divided by subject. */
  readonly values?: readonly string[] | undefined
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
const isName = (value: unknown): value is string => typeof value === 'string' && value.length > 0
const isPositive = (value: unknown) => isCount(value) && value > 0
const areNames = (value: unknown) => Array.isArray(value) && value.length > 0 && value.every(isName)
const areShards = (value: unknown) => {
  const { level, values } = (value ?? {}) as Partial<ShardsByLevel>
  return isPositive(level) && areNames(values)
}

const CHECKS: { readonly [kind in GrowthRecord['kind']]: (fields: Record<string, unknown>) => boolean } = {
  began: ({ partitions, leaseMs, shards }) =>
    isPositive(partitions) && isPositive(leaseMs) && (shards === undefined || areShards(shards)),
  claim: ({ grower }) => isName(grower),
  closing: ({ grower, generation, partitions, values }) =>
    isName(grower) && isPositive(generation) && isPositive(partitions) && (values === undefined || areNames(values)),
  sealed: ({ grower, generation, ends }) =>
    isName(grower) && isPositive(generation) && Array.isArray(ends) && ends.every(isCount),
}

export function encodeGrowthRecord(record: GrowthRecord): string {
  return JSON.stringify(record)
}

/** Throws `corrupt`. */
export function decodeGrowthRecord(text: string, topic: string): GrowthRecord {
  const fields = fieldsOf(text)
  const check = Object.hasOwn(CHECKS, String(fields?.kind)) ? CHECKS[fields!.kind as GrowthRecord['kind']] : undefined
  if (fields !== undefined && check?.(fields) === true) return fields as GrowthRecord
  throw new SkeinError(
    'corrupt',
    `Cannot follow the growth of "${topic}": what stands there is no record of it: ${text.slice(0, 100)}`,
    { details: { topic } },
  )
}

function fieldsOf(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
