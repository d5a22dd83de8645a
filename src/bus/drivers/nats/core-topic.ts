import { SkeinError } from '../../../core/index.ts'
import type { Capabilities } from '../../index.ts'
import type { TopicSettings } from '../../kit/index.ts'

/** A topic on core NATS: fan-out to the readers that are there; nothing is stored, here or on the servers. */
export class CoreTopic {
  readonly kind = 'core'
  readonly settings: TopicSettings
  readonly capabilities: Capabilities

  constructor(settings: TopicSettings) {
    if (/^[$_]/.test(settings.name)) {
      const reason = 'subjects that begin with "$" or "_" are the servers\' own'
      throw new SkeinError('bad-subject', `Cannot open topic "${settings.name}": ${reason}`, {
        details: { topic: settings.name },
      })
    }
    this.settings = settings
    this.capabilities = coreCapabilities(settings)
  }
}

export function coreCapabilities(settings: TopicSettings): Capabilities {
  return {
    driver: 'nats',
    durability: 'none',
    order: 'native',
    groups: 'none',
    broadcast: 'native',
    deduplication: 'none',
    retry: 'none',
    deadLetters: 'none',
    replayByPosition: 'none',
    replayByTime: 'none',
    ttl: 'native',
    wildcards: 'native',
    compaction: 'none',
    headers: 'native',
    lag: 'native',
    requests: 'native',
    backPressure: 'none',
    transactions: 'none',
    totalOrder: false,
    messageBytesMax: settings.messageBytesMax,
    partitions: settings.partitions,
  }
}
