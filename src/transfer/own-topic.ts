import type { Bus, RequestedDurability, TopicDescription } from '../bus/index.ts'
import { SkeinError, UnsupportedError } from '../core/index.ts'

const LEVELS: readonly RequestedDurability[] = ['safe', 'written', 'none']
const KEPT_BYTES = 4 * 1024 * 1024

/** A small topic of one partition for what transfers remember on a broker, as safe as that broker can make it. */
export async function openOwnTopic(
  bus: Bus,
  name: string,
  options: { readonly keepsAll: boolean },
): Promise<TopicDescription> {
  const found = await describeIfThere(bus, name)
  if (found !== undefined) return found
  const retention = options.keepsAll ? {} : { retention: { bytes: KEPT_BYTES } }
  for (const durability of LEVELS) {
    try {
      await bus.open({ name, intent: 'telemetry', partitions: 1, durability, ...retention })
      break
    } catch (error) {
      if (!(error instanceof UnsupportedError) || durability === 'none') throw error
    }
  }
  return bus.admin.describeTopic(name)
}

/** Undefined where the broker has no topic of this name. */
export async function describeIfThere(bus: Bus, topic: string): Promise<TopicDescription | undefined> {
  try {
    return await bus.admin.describeTopic(topic)
  } catch (error) {
    if (error instanceof SkeinError && error.code === 'not-found') return undefined
    throw error
  }
}
