import { SkeinError } from '../core/index.ts'
import type { Bus, TopicSpec } from './bus.ts'

/** Opens a topic only when it is not there yet: the settings given are for the making, an existing topic keeps its own. */
export async function openIfMissing(bus: Bus, spec: TopicSpec): Promise<void> {
  try {
    await bus.admin.describeTopic(spec.name)
  } catch (error) {
    if (!(error instanceof SkeinError) || error.code !== 'not-found') throw error
    await bus.open(spec)
  }
}
