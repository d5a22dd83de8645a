import type { Bus, Capabilities, RequestedDurability, TopicSpec } from '../../bus/index.ts'
import type { ObjectStore } from '../../objects/index.ts'
import { openRaftMember, RAFT_TIMES, type RaftMemberOptions } from '../raft-node/index.ts'
import { SnapshotStore } from '../snapshot-store.ts'
import { checkLogCapabilities } from './check-log-capabilities.ts'
import { proposalBytes } from './proposal-codec.ts'
import { SEQUENCED_HEADER_BYTES } from './record-codec.ts'
import { SequencedLog } from './sequenced-log.ts'

export interface SequencedLogOptions extends Omit<RaftMemberOptions, 'objects'> {
  /** Stays open when the log is closed. */
  readonly bus: Bus
  /** The topic that is the log: made when it is missing, with one partition and no retention; nobody else writes to it. */
  readonly topic: string
  /** The topic on which commands are proposed. Default: the log's, and `-proposals`. */
  readonly proposals?: string
  /** Proposals are in the log soon, and are kept in their topic for so long. Default 24 h. */
  readonly proposalsKeptMs?: number
  /** Where all members keep snapshots. */
  readonly objects: ObjectStore
  /** What an append must survive; less is refused at open. Default `safe`. */
  readonly durability?: RequestedDurability
  /** Largest command. Default 1 MiB less what surrounds it. */
  readonly commandBytesMax?: number
  /** All commands of one call: they travel as one message. Default 1 MiB. */
  readonly callBytesMax?: number
  /** Proposed and not yet stored, beyond which appends are refused. Default 64 MiB. */
  readonly pendingBytesMax?: number
  /** An append that nobody has ordered by then ends as `outcome-unknown`. Default 30,000. */
  readonly outcomeWithinMs?: number
}

const DEFAULTS = {
  ...RAFT_TIMES,
  callBytesMax: 1024 * 1024,
  durability: 'safe',
  proposalsKeptMs: 86_400_000,
  pendingBytesMax: 64 * 1024 * 1024,
  outcomeWithinMs: 30_000,
} as const

/**
 * Opens a member of a log that one partition of a broker keeps, and whose writer is elected by the Raft group that the
 * member belongs to: members need each other and the broker. Rejects as `openRaftLog()` and `openBrokerLog()` do, with
 * `wrong-cluster` where another group, or nobody elected, wrote to the topic.
 */
export async function openSequencedLog(given: SequencedLogOptions): Promise<SequencedLog> {
  const options = { ...DEFAULTS, proposals: `${given.topic}-proposals`, ...given }
  const { bus, topic, proposals, durability, objects, random, callBytesMax, proposalsKeptMs } = options
  const commandBytesMax = options.commandBytesMax ?? callBytesMax - SEQUENCED_HEADER_BYTES
  const largest = Math.max(callBytesMax, proposalBytes([{ length: commandBytesMax }]))
  const spec = { intent: 'event', partitions: 1, durability, deduplicationWindowMs: 0 } as const
  const capabilities = await openLogTopic(bus, {
    ...spec,
    name: topic,
    messageBytesMax: commandBytesMax + SEQUENCED_HEADER_BYTES,
  })
  await openLogTopic(bus, { ...spec, name: proposals, messageBytesMax: largest, retention: { ageMs: proposalsKeptMs } })
  const snapshots = new SnapshotStore({ objects, random, prefix: `log/${topic}/${options.id}/` })
  const log = new SequencedLog({
    ...options,
    ...{ id: String(options.id), snapshots, commandBytesMax, callBytesMax: largest },
    durability: capabilities.durability,
  })
  // Snapshots of the group itself, which holds nothing but its members, stay in its directory.
  const { objects: _, ...member } = options
  try {
    await log.catchUp()
    await openRaftMember(member, () => log.election)
    return log
  } catch (error) {
    await log.close()
    throw error
  }
}

async function openLogTopic(bus: Bus, spec: TopicSpec): Promise<Capabilities> {
  const capabilities = await bus.open(spec)
  checkLogCapabilities(capabilities)
  return capabilities
}
