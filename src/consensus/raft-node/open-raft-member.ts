import { type Clock, type Disk, type MutualTls, type Network, type Random, SkeinError } from '../../core/index.ts'
import { type ObjectStore, openDirectoryStore } from '../../objects/index.ts'
import { SnapshotStore } from '../snapshot-store.ts'
import type { DriverSink, RaftDriverOptions, RaftTimes } from './driver-options.ts'
import { parseAddress } from './peer-link.ts'
import { RaftDriver } from './raft-driver.ts'
import { RaftStore, type StoredState } from './raft-store.ts'

/** Another member as the configuration names it. */
export interface RaftMember {
  /** A whole number from 1, never used for another machine or an emptied disk. */
  readonly id: number
  /** `host:port`. */
  readonly address: string
}

/** What any member of a Raft group is opened with. */
export interface RaftMemberOptions {
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
  /** Of the log on the disk. Default 64 MiB. */
  readonly segmentBytes?: number
}

/** Who stands on a driver, and is made before it. */
interface DriverUser {
  readonly sink: DriverSink
  /** Called once, before anything else. */
  stand(driver: RaftDriver): void
}

export const RAFT_TIMES: RaftTimes = { heartbeatMs: 100, electionTimeoutMs: 1_000 }

/**
 * Opens the directory of a member, and begins to take part. Rejects with `locked`, `port-in-use`, `bad-argument`, with
 * `corrupt` when what it had acknowledged is damaged: it must not vote again, and is replaced under a new id; with
 * `future-version`, and with `wrong-cluster` for the directory of another group.
 */
export async function openRaftMember<User extends DriverUser>(
  given: RaftMemberOptions & { readonly limits?: RaftDriverOptions['limits'] },
  create: (opened: { readonly state: StoredState; readonly snapshots: SnapshotStore }) => User,
): Promise<User> {
  const options = { ...RAFT_TIMES, limits: {}, ...given }
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
    const user = create({ state, snapshots })
    const addresses = options.addresses && new Map(options.addresses.map((member) => [member.id, member.address]))
    const driver = new RaftDriver({ ...options, store, state, snapshots, addresses, sink: user.sink })
    user.stand(driver)
    await driver.start()
    return user
  } catch (error) {
    await store.close().catch(() => undefined)
    throw error
  }
}

function checkOptions(options: RaftMemberOptions & RaftTimes): void {
  const { cluster, id, listen, advertise, bootstrap, addresses, heartbeatMs, electionTimeoutMs } = options
  if (typeof cluster !== 'string' || cluster.length === 0 || Buffer.byteLength(cluster) > 256) {
    throw new SkeinError('bad-argument', 'Cannot open a Raft member: the cluster id must have 1 to 256 bytes')
  }
  if (!Number.isSafeInteger(id) || id < 1) {
    throw new SkeinError('bad-argument', `Cannot open a Raft member of id ${id}: it must be a whole number from 1`)
  }
  if (bootstrap !== undefined && !bootstrap.some((member) => member.id === id)) {
    throw new SkeinError('bad-argument', `Cannot make a new group: node ${id} is not among its first members`)
  }
  for (const member of [...(bootstrap ?? []), ...(addresses ?? [])]) checkMember(member)
  for (const address of [listen, advertise]) if (address !== undefined) parseAddress(address)
  if (bootstrap !== undefined && new Set(bootstrap.map((member) => member.id)).size !== bootstrap.length) {
    throw new SkeinError('bad-argument', 'Cannot make a new group: two of its first members have one id')
  }
  if (!(electionTimeoutMs >= 2 * heartbeatMs && heartbeatMs >= 1)) {
    const message = `Cannot open a Raft member: electionTimeoutMs is ${electionTimeoutMs}, it must be at least twice heartbeatMs, which is ${heartbeatMs}`
    throw new SkeinError('bad-argument', message)
  }
}

/** A group that was made with nonsense would elect nobody, and its directories could not be used again. */
function checkMember({ id, address }: RaftMember): void {
  if (!Number.isSafeInteger(id) || id < 1) {
    throw new SkeinError('bad-argument', `Cannot name a member of id ${id}: it must be a whole number from 1`)
  }
  parseAddress(address)
}
