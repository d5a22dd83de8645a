import { type Clock, type Disk, type MutualTls, type Network, type Random, SkeinError } from '../../core/index.ts'
import { type ObjectStore, openDirectoryStore } from '../../objects/index.ts'
import { RaftDriver, RaftStore } from '../raft-node/index.ts'
import { SnapshotStore } from '../snapshot-store.ts'
import { COMMAND_HEADER_BYTES } from './command-codec.ts'
import { RaftLog } from './raft-log.ts'

/** Another member as the configuration names it. */
export interface RaftMember {
  /** A whole number from 1, never used for another machine or an emptied disk. */
  readonly id: number
  /** `host:port`. */
  readonly address: string
}

export interface RaftLogOptions {
  readonly clock: Clock
  readonly random: Random
  readonly disk: Disk
  readonly network: Network
  /** This member's own directory: made when it is missing, and taken for this process alone. */
  readonly directory: string
  /** The same on all members, and on no other group's. At most 256 bytes. */
  readonly cluster: string
  readonly id: number
  /** Where to listen for the others, `host:port`; port 0 lets the system choose. */
  readonly listen: string
  /** Where the others reach this member, when that differs from where it listens. */
  readonly advertise?: string
  /**
   * With a new directory: the first members of a new group, this one among them, the same on each. Without it a new
   * member waits until the group adds it. Of no effect on a directory that has been used.
   */
  readonly bootstrap?: readonly RaftMember[]
  /** Where members are reached, instead of what the group's log says: for those that moved. */
  readonly addresses?: readonly RaftMember[]
  /** TLS 1.3 with certificates on both sides. Without it, listen on trusted networks only. */
  readonly tls?: MutualTls
  /** Where snapshots go. Default: `snapshots` in the directory. Each member uses names of its own. */
  readonly objects?: ObjectStore
  /** Between heartbeats of a leader. Default 100. */
  readonly heartbeatMs?: number
  /** Followers campaign after so long without a leader, and up to twice as long. Default 1,000. */
  readonly electionTimeoutMs?: number
  /** Largest command. Default 1 MiB. */
  readonly commandBytesMax?: number
  /** Proposed and not committed, beyond which appends are refused. Default 64 MiB. */
  readonly uncommittedBytesMax?: number
  /** Entries in one message between members. Default 512 KiB. */
  readonly messageBytesMax?: number
  /** Committed entries held since the last compaction, beyond which a leader refuses appends. Default 1 GiB. */
  readonly retainedBytesMax?: number
  /** Of the log on the disk. Default 64 MiB. */
  readonly segmentBytes?: number
}

const DEFAULTS = {
  heartbeatMs: 100,
  electionTimeoutMs: 1_000,
  commandBytesMax: 1024 * 1024,
  uncommittedBytesMax: 64 * 1024 * 1024,
  messageBytesMax: 512 * 1024,
  retainedBytesMax: 1024 * 1024 * 1024,
}

/**
 * Opens this member of a Raft group, and begins to take part. Rejects with `locked`, `port-in-use`, `bad-argument`, with
 * `corrupt` when what it had acknowledged is damaged: it must not vote again, and is replaced under a new id; with
 * `future-version`, and with `wrong-cluster` for the directory of another group.
 */
export async function openRaftLog(given: RaftLogOptions): Promise<RaftLog> {
  const options = { ...DEFAULTS, ...given }
  checkOptions(options)
  const { clock, random, disk, directory, id, cluster, bootstrap, segmentBytes } = options
  const members = bootstrap?.map((member) => [member.id, member.address] as const)
  const { store, state } = await RaftStore.open({
    ...{ disk, clock, random, directory, cluster, node: id, segmentBytes },
    bootstrap: members,
  })
  try {
    const objects = options.objects ?? (await openDirectoryStore({ disk, directory: `${directory}/snapshots` }))
    const snapshots = new SnapshotStore({ objects, random, prefix: `raft/${id}/` })
    const log = new RaftLog({ ...options, snapshots, state, storage: disk.kind })
    const driver = new RaftDriver({
      ...options,
      store,
      state,
      snapshots,
      addresses: options.addresses && new Map(options.addresses.map((member) => [member.id, member.address])),
      limits: {
        entryBytesMax: options.commandBytesMax + COMMAND_HEADER_BYTES,
        uncommittedBytesMax: options.uncommittedBytesMax,
        messageBytesMax: options.messageBytesMax,
      },
      sink: log.sink,
    })
    log.stand(driver)
    await driver.start()
    return log
  } catch (error) {
    await store.close().catch(() => undefined)
    throw error
  }
}

function checkOptions({
  cluster,
  id,
  bootstrap,
  heartbeatMs,
  electionTimeoutMs,
}: RaftLogOptions & typeof DEFAULTS): void {
  if (cluster.length === 0 || Buffer.byteLength(cluster) > 256) {
    throw new SkeinError('bad-argument', 'Cannot open a Raft member: the cluster id must have 1 to 256 bytes')
  }
  if (!Number.isSafeInteger(id) || id < 1) {
    throw new SkeinError('bad-argument', `Cannot open a Raft member of id ${id}: it must be a whole number from 1`)
  }
  if (bootstrap !== undefined && !bootstrap.some((member) => member.id === id)) {
    throw new SkeinError('bad-argument', `Cannot make a new group: node ${id} is not among its first members`)
  }
  if (bootstrap !== undefined && new Set(bootstrap.map((member) => member.id)).size !== bootstrap.length) {
    throw new SkeinError('bad-argument', 'Cannot make a new group: two of its first members have one id')
  }
  if (!(electionTimeoutMs >= 2 * heartbeatMs && heartbeatMs >= 1)) {
    const message = `Cannot open a Raft member: electionTimeoutMs is ${electionTimeoutMs}, it must be at least twice heartbeatMs, which is ${heartbeatMs}`
    throw new SkeinError('bad-argument', message)
  }
}
