import type { Bus, RequestedDurability } from '../../bus/index.ts'
import { type Clock, type Random, SkeinError } from '../../core/index.ts'
import type { ObjectStore } from '../../objects/index.ts'
import { SnapshotStore } from '../snapshot-store.ts'
import { BrokerLog } from './broker-log.ts'
import { checkLogCapabilities } from './check-log-capabilities.ts'
import { RECORD_HEADER_BYTES } from './record-codec.ts'

export interface BrokerLogOptions {
  readonly clock: Clock
  readonly random: Random
  /** Stays open when the log is closed. */
  readonly bus: Bus
  /** The topic that is the log: made when it is missing, with one partition and no retention; nobody else writes to it. */
  readonly topic: string
  /** This member's name, its own for ever: who leads is told by it, and its snapshots are kept under it. */
  readonly id: string
  /** Where all members keep snapshots. */
  readonly objects: ObjectStore
  /** Takes the log over at once. Default true; without it this member reads, until `lead()`. */
  readonly leads?: boolean
  /** What an append must survive; less is refused at open. Default `safe`. */
  readonly durability?: RequestedDurability
  /** Largest command. Default 1 MiB less what surrounds it. */
  readonly commandBytesMax?: number
  /** Appended and not yet acknowledged, beyond which appends are refused. Default 64 MiB. */
  readonly pendingBytesMax?: number
}

const MESSAGE_BYTES_MAX = 1024 * 1024

/**
 * Opens a member of a log that one partition of a broker keeps: the broker's order is the log's. Reads all of it that is
 * kept. Rejects with `unsupported` for a broker without a total order or replay, or with less durability.
 */
export async function openBrokerLog(options: BrokerLogOptions): Promise<BrokerLog> {
  const { bus, topic, id, objects, random, leads = true, durability = 'safe' } = options
  const { commandBytesMax = MESSAGE_BYTES_MAX - RECORD_HEADER_BYTES, pendingBytesMax = 64 * 1024 * 1024 } = options
  if (!/^[\w-]{1,64}$/.test(id)) {
    throw new SkeinError('bad-argument', `Cannot open a log as "${id}": a name has 1 to 64 letters, digits, _ and -`)
  }
  const capabilities = await bus.open({
    name: topic,
    intent: 'event',
    partitions: 1,
    durability,
    deduplicationWindowMs: 0,
    messageBytesMax: commandBytesMax + RECORD_HEADER_BYTES,
  })
  checkLogCapabilities(capabilities)
  const snapshots = new SnapshotStore({ objects, random, prefix: `log/${topic}/${id}/` })
  const log = new BrokerLog({ ...options, snapshots, commandBytesMax, pendingBytesMax, driver: capabilities.driver })
  try {
    await log.catchUp()
    if (leads) await log.lead()
    return log
  } catch (error) {
    await log.close()
    throw error
  }
}
