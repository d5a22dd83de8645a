import { type Capabilities, type RequestedDurability, satisfies, type TopicSpec } from '../bus/index.ts'
import { SkeinError, UnsupportedError } from '../core/index.ts'
import { describeIfThere } from './own-topic.ts'
import type { TransferEnd } from './transfer-end.ts'

export interface OpenTargetOptions {
  /** For messages. */
  readonly action: 'bridge' | 'restore'
  /** What the target is made like where it is not there. */
  readonly like: Omit<TopicSpec, 'name'>
  /** What it must grant. */
  readonly durability: RequestedDurability
  /** One that is not there is made. */
  readonly create: boolean
}

/** The target's topic as it is, or made. Rejects with `not-found`, `unsupported`, and as the broker does. */
export async function openTarget(target: TransferEnd, options: OpenTargetOptions): Promise<Capabilities> {
  const { bus, topic } = target
  const { action, durability } = options
  const found = await describeIfThere(bus, topic)
  if (found === undefined) {
    if (!options.create) throw missingTarget(topic, action)
    return createLike(target, { ...options.like, durability })
  }
  const { spec, capabilities } = found
  if (spec.storage === 'ephemeral') {
    throw new UnsupportedError(
      `topic "${topic}" as the target of a ${action}`,
      `it stores nothing; ${action} to a topic that does`,
    )
  }
  if (satisfies(capabilities.durability, durability)) return capabilities
  throw new UnsupportedError(
    `durability "${durability}" on topic "${topic}"`,
    `the target grants "${capabilities.durability}": ask for that, or make the topic safer`,
  )
}

function missingTarget(topic: string, action: string): SkeinError {
  return new SkeinError(
    'not-found',
    `Cannot ${action} to topic "${topic}": the target has none of that name; make it, or have the ${action} make it (--create)`,
    { details: { target: topic } },
  )
}

/** What is a matter of one broker (replicas, retention, compression) is not carried over. */
async function createLike({ bus, topic }: TransferEnd, like: Omit<TopicSpec, 'name'>): Promise<Capabilities> {
  const { intent, partitions, durability, compaction, ttlMs, messageBytesMax, deduplicationWindowMs = 0 } = like
  const spec: TopicSpec = {
    ...{ name: topic, intent },
    ...(partitions !== undefined && { partitions }),
    ...(durability !== undefined && { durability }),
    ...(compaction !== undefined && { compaction }),
    ...(ttlMs !== undefined && { ttlMs }),
    ...(messageBytesMax !== undefined && { messageBytesMax }),
  }
  try {
    return await bus.open({ ...spec, deduplicationWindowMs })
  } catch (error) {
    if (!(error instanceof UnsupportedError) || !error.feature.startsWith('deduplication')) throw error
    return bus.open({ ...spec, deduplicationWindowMs: 0 })
  }
}
