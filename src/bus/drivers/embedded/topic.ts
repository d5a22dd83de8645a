import { UnsupportedError } from '../../../core/index.ts'
import type { AppendDurability } from '../../../log/index.ts'
import { type Capabilities, type Durability, type RequestedDurability, satisfies } from '../../index.ts'
import type { TopicSettings } from '../../kit/index.ts'
import type { Partition } from './partition.ts'
import type { Tail } from './tail.ts'

/** A stored topic, open: its partitions and who waits at their ends. */
export interface LogTopic {
  readonly kind: 'log'
  readonly settings: TopicSettings
  readonly capabilities: Capabilities
  readonly partitions: readonly Partition[]
  readonly tail: Tail
}

/** What an append at a level is done with, and what its receipt may say. */
export interface GrantedDurability {
  readonly append: AppendDurability
  readonly receipt: Durability
}

/** Turns a request into what the disk and its sync policy give. Throws `UnsupportedError` when that is less. */
export function grantDurability(asked: RequestedDurability, best: Durability, what: string): GrantedDurability {
  if (!satisfies(best, asked)) {
    throw new UnsupportedError(`durability "${asked}" on ${what}`, reasonAgainst(asked, best))
  }
  if (best === 'none') return { append: 'written', receipt: 'none' }
  const isDurable = asked === 'durable' || asked === 'safe'
  return isDurable ? { append: 'durable', receipt: 'durable' } : { append: 'written', receipt: 'written' }
}

function reasonAgainst(asked: RequestedDurability, best: Durability): string {
  if (asked === 'replicated' || asked === 'quorum-durable') {
    return 'the embedded log is on one machine; bind the channel to a replicated broker'
  }
  if (best === 'none')
    return 'its disk is in memory and nothing survives the process; ask for "none" or use a real disk'
  return 'its sync policy does not wait for the disk; ask for "written" or use the group policy'
}

export function logCapabilities(settings: TopicSettings, best: Durability): Capabilities {
  return {
    driver: 'embedded',
    durability: best,
    order: 'native',
    groups: 'native',
    broadcast: 'native',
    deduplication: 'native',
    retry: 'native',
    deadLetters: 'native',
    replayByPosition: 'native',
    replayByTime: 'native',
    ttl: 'native',
    wildcards: 'native',
    compaction: 'native',
    headers: 'native',
    lag: 'native',
    requests: 'native',
    backPressure: 'native',
    transactions: 'none',
    totalOrder: true,
    messageBytesMax: settings.messageBytesMax,
    partitions: settings.partitions,
  }
}
