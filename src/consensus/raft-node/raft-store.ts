import { type Clock, type Disk, type DiskLock, parentPath, type Random, SkeinError } from '../../core/index.ts'
import { type Entry, encodeConfigChange, type HardState, NOBODY, type NodeId } from '../../raft/index.ts'
import { readCheckedFile, writeCheckedFile } from './checked-file.ts'
import type { Identity } from './greeting.ts'
import { encodeAddresses } from './group-members.ts'
import { KnownPeers } from './known-peers.ts'
import type { SnapshotRecord } from './snapshot-record.ts'
import { VoteSlots } from './vote-slots.ts'
import { Wal, type WalContents } from './wal.ts'

export interface RaftStoreOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly random: Random
  readonly directory: string
  readonly cluster: string
  readonly node: NodeId
  /** Of a new group, the same on each: with the addresses of all. Without: a new member waits to be added. */
  readonly bootstrap?: ReadonlyArray<readonly [NodeId, string]> | undefined
  /** Default 64 MiB. */
  readonly segmentBytes?: number | undefined
}

/** What a member starts from. */
export interface StoredState {
  readonly hardState: HardState
  readonly entries: readonly Entry[]
  readonly snapshot: SnapshotRecord | undefined
}

interface IdentityFile {
  readonly cluster: string
  readonly node: NodeId
  readonly incarnation: string
}

/** One member's data directory: who it is, whom it met, its votes, its log. */
export class RaftStore {
  readonly identity: Identity
  readonly peers: KnownPeers
  readonly votes: VoteSlots
  readonly wal: Wal
  readonly #lock: DiskLock
  #ending: Promise<void> | undefined

  private constructor(
    parts: { readonly identity: Identity; readonly peers: KnownPeers; readonly votes: VoteSlots; readonly wal: Wal },
    lock: DiskLock,
  ) {
    this.identity = parts.identity
    this.peers = parts.peers
    this.votes = parts.votes
    this.wal = parts.wal
    this.#lock = lock
  }

  /**
   * Opens the directory of a member, or makes it one. Rejects with `locked`, `corrupt`, `future-version`, with
   * `wrong-cluster` and `bad-argument` when it belongs to another group or another member.
   */
  static async open(options: RaftStoreOptions): Promise<{ readonly store: RaftStore; readonly state: StoredState }> {
    const { disk, directory } = options
    await disk.makeDirectory(directory)
    await disk.syncDirectory(parentPath(directory) || (directory.startsWith('/') ? '/' : '.'))
    const lock = await disk.lock(directory)
    let open: { readonly wal?: Wal; readonly votes?: VoteSlots } = {}
    try {
      const found = await readCheckedFile<IdentityFile>(disk, `${directory}/identity`)
      if (found === undefined) await create(options)
      else checkIdentity(found, options)
      const identity = found ?? (await readCheckedFile<IdentityFile>(disk, `${directory}/identity`))!
      const votes = await VoteSlots.open(disk, `${directory}/votes`)
      open = { votes }
      const { wal, contents } = await openWal(options)
      open = { votes, wal }
      if (contents.frames === 0) throw emptied(directory)
      const peers = await KnownPeers.open(disk, `${directory}/peers`)
      const parts = { identity: { ...identity, storage: disk.kind }, peers, votes, wal }
      return { store: new RaftStore(parts, lock), state: stateOf(contents, votes) }
    } catch (error) {
      await open.wal?.close().catch(() => undefined)
      await open.votes?.close().catch(() => undefined)
      await lock.release()
      throw error
    }
  }

  /** Waits for what is being written. Idempotent. */
  close(): Promise<void> {
    this.#ending ??= this.#close()
    return this.#ending
  }

  async #close(): Promise<void> {
    try {
      await this.wal.drain()
    } finally {
      await this.votes.close().catch(() => undefined)
      await this.#lock.release()
    }
  }
}

function openWal(options: RaftStoreOptions): Promise<{ readonly wal: Wal; readonly contents: WalContents }> {
  const { disk, clock, directory, segmentBytes = 64 * 1024 * 1024 } = options
  return Wal.open({ disk, clock, directory: `${directory}/wal`, segmentBytes })
}

/** The identity comes last: a directory without one has promised nothing to anybody. */
async function create(options: RaftStoreOptions): Promise<void> {
  const { disk, directory, cluster, node, random, bootstrap } = options
  await checkUntouched(disk, directory)
  const votes = await VoteSlots.create(disk, `${directory}/votes`, {
    term: bootstrap === undefined ? 0 : 1,
    vote: NOBODY,
  })
  await votes.close()
  const { wal } = await openWal(options)
  try {
    const entries = bootstrap === undefined ? [] : [bootstrapEntry(bootstrap)]
    await wal.append({ commit: entries.length, entries })
  } finally {
    await wal.drain()
  }
  const incarnation = Buffer.from(random.bytes(16)).toString('hex')
  await writeCheckedFile(disk, `${directory}/identity`, { cluster, node, incarnation } satisfies IdentityFile)
}

/** A vote, or peers that were met, mean that the identity was lost, not that it is still to come. */
async function checkUntouched(disk: Disk, directory: string): Promise<void> {
  const hasPeers = (await disk.size(`${directory}/peers`)) !== undefined
  if (!hasPeers && !(await wasVoteUsed(disk, `${directory}/votes`))) return
  const message = `Cannot open the Raft member in ${directory}: its identity is gone, so what it promised cannot be trusted; replace it under a new id and with an empty directory`
  throw new SkeinError('corrupt', message)
}

async function wasVoteUsed(disk: Disk, path: string): Promise<boolean> {
  if ((await disk.size(path)) === undefined) return false
  // A creation that was cut short may have left neither slot whole.
  const votes = await VoteSlots.open(disk, path).catch(() => undefined)
  await votes?.close()
  return votes?.wasUsed ?? false
}

/** The same on every first member: one entry, committed from the start, that makes all of them voters. */
function bootstrapEntry(members: ReadonlyArray<readonly [NodeId, string]>): Entry {
  const sorted = [...members].sort(([left], [right]) => left - right)
  const changes = sorted.map(([id]) => ({ action: 'add-voter', id }) as const)
  const data = encodeConfigChange({ mode: 'auto', changes, context: encodeAddresses(sorted) })
  return { index: 1, term: 1, kind: 'config', data }
}

function checkIdentity(found: IdentityFile, { cluster, node, directory }: RaftStoreOptions): void {
  if (found.cluster !== cluster) {
    const message = `Cannot open ${directory}: it belongs to the cluster "${found.cluster}", not to "${cluster}"; correct the directory or the cluster id`
    throw new SkeinError('wrong-cluster', message, { details: { found: found.cluster, expected: cluster } })
  }
  if (found.node !== node) {
    const message = `Cannot open ${directory}: it is that of node ${found.node}, not of node ${node}; correct the directory or the node id`
    throw new SkeinError('bad-argument', message, { details: { found: found.node, expected: node } })
  }
}

function emptied(directory: string): SkeinError {
  const message = `Cannot open the Raft member in ${directory}: its log is gone, so it must not vote again; replace it under a new id and with an empty directory`
  return new SkeinError('corrupt', message)
}

/** The log may be cut back to before the snapshot by a crash between the two: then the snapshot alone stands. */
function stateOf({ commit, entries, snapshot }: WalContents, votes: VoteSlots): StoredState {
  const snapshotIndex = snapshot?.metadata.index ?? 0
  const last = entries.at(-1)?.index ?? 0
  const { term, vote } = votes.vote
  const hardState = { term, vote, commit: Math.max(commit, snapshotIndex) }
  return { hardState, entries: last < snapshotIndex ? [] : entries, snapshot }
}
