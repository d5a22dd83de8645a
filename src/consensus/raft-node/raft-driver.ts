import { SkeinError, type Timer } from '../../core/index.ts'
import {
  type ConfigChange,
  type Configuration,
  type Entry,
  type Message,
  membersOf,
  type NodeId,
  type Proposed,
  RaftNode,
  type RaftStatus,
  type ReadState,
  type Ready,
} from '../../raft/index.ts'
import type { RaftDriverOptions } from './driver-options.ts'
import { GroupMembers } from './group-members.ts'
import { Persister } from './persister.ts'
import { SnapshotLanes } from './snapshot-lanes.ts'
import type { SnapshotRecord } from './snapshot-record.ts'
import { type PeerState, Transport } from './transport.ts'

/** What waits to be applied, in order. */
type Task =
  | { readonly entries: readonly Entry[] }
  | { readonly record: SnapshotRecord /** Until then nothing behind it is applied. */; isDurable: boolean }

const FRAME_BYTES_SPARE = 64 * 1024

/**
 * One member of a Raft group with its disk, its clock and its peers. What happens in one turn of the event loop is taken in
 * first, then done at once: one append per peer, one write and one sync for all of it.
 *
 * The order is the core's: messages that wait for nothing leave first, so a leader's entries are on their way before its own disk
 * has them; then the disk; when it is done the messages that waited for it. What is committed is applied at the end of the
 * turn.
 */
export class RaftDriver {
  readonly #options: RaftDriverOptions
  readonly #raft: RaftNode
  readonly #persister: Persister
  readonly #transport: Transport
  readonly #lanes: SnapshotLanes
  #members: GroupMembers
  #record: SnapshotRecord | undefined
  readonly #tasks: Task[] = []
  #reads: ReadState[] = []
  #timer: Timer | undefined
  #ticks = 0
  #isScheduled = false
  #isPumping = false
  #failure: Error | undefined
  #isClosed = false

  constructor(options: RaftDriverOptions) {
    const { store, state, random, clock, limits } = options
    this.#options = options
    this.#record = state.snapshot
    this.#members = new GroupMembers(state.snapshot?.members)
    const electionTicks = Math.max(2, Math.round(options.electionTimeoutMs / options.heartbeatMs))
    const entryBytesMax = limits.entryBytesMax ?? 1024 * 1024
    const messageBytesMax = limits.messageBytesMax ?? 512 * 1024
    this.#raft = new RaftNode({
      ...limits,
      id: store.identity.node,
      random,
      electionTicks,
      state: { hardState: state.hardState, entries: state.entries, snapshot: state.snapshot?.metadata },
    })
    this.#persister = new Persister({
      clock,
      wal: store.wal,
      votes: store.votes,
      hardState: state.hardState,
      snapshotIndex: state.snapshot?.metadata.index ?? 0,
      onFailed: (error) => this.fail(error),
    })
    this.#transport = new Transport(
      {
        ...options,
        own: store.identity,
        peers: store.peers,
        frameBytesMax: Math.max(entryBytesMax, messageBytesMax) + messageBytesMax + FRAME_BYTES_SPARE,
        silentMs: 2 * options.electionTimeoutMs,
      },
      {
        onMessage: (message) => this.#step(message),
        onUnreachable: (id) => this.#unreachable(id),
        onRefused: (_, error) => this.#refused(error),
        onSnapshotLane: (from, lane) => this.#lanes.receive(from, lane),
      },
    )
    this.#lanes = new SnapshotLanes({
      ...options,
      transport: this.#transport,
      record: () => this.#record,
      isWanted: (index) => index > this.#raft.status().commit,
      onSent: (to, ok) => this.#input(() => this.#raft.reportSnapshot(to, ok)),
      onArrived: (message) => this.#input(() => this.#raft.step(message)),
    })
  }

  /** Listens and takes part. Rejects with `port-in-use`, `bad-argument`. */
  async start(): Promise<void> {
    await this.#transport.listen()
    this.#connectMembers()
    this.#tickLater()
    this.#schedule()
  }

  get address(): string {
    return this.#transport.address
  }

  get failure(): Error | undefined {
    return this.#failure
  }

  /** The disk has no room: what is proposed waits in memory. */
  get isDiskFull(): boolean {
    return this.#persister.isFull
  }

  get members(): GroupMembers {
    return this.#members
  }

  get snapshot(): SnapshotRecord | undefined {
    return this.#record
  }

  get status(): RaftStatus {
    return this.#raft.status()
  }

  get term(): number {
    return this.#raft.term
  }

  get configuration(): Configuration {
    return this.#raft.configuration
  }

  /** How each peer is reached, and how many connections came to nothing. */
  connections(): { readonly peers: readonly PeerState[]; readonly malformed: number; readonly refused: number } {
    return { peers: this.#transport.peers(), ...this.#transport.counts }
  }

  /** See `RaftNode.propose()`. The entries leave with all others of this turn. */
  propose(data: readonly Uint8Array[]): Proposed {
    const proposed = this.#raft.propose(data)
    this.#schedule()
    return proposed
  }

  proposeChange(change: ConfigChange): Proposed {
    const proposed = this.#raft.proposeConfigChange(change)
    this.#schedule()
    return proposed
  }

  readIndex(context: unknown): void {
    this.#raft.readIndex(context)
    this.#schedule()
  }

  transfer(to: NodeId): void {
    this.#raft.transferLeadership(to)
    this.#schedule()
  }

  /**
   * Notes durably that a snapshot stands for the log before it, and lets go of entries through `through`. Rejects with
   * `bad-argument` for one that this member cannot describe.
   */
  async compact(through: number, snapshot: SnapshotRecord['snapshot']): Promise<void> {
    const metadata = this.#raft.snapshotMetadata(snapshot.index)
    const record = { metadata, snapshot, members: this.#members.state() }
    const isNoted = await this.#persister.noteSnapshot(record)
    // The leader may have sent a later one meanwhile.
    if (!isNoted || this.#isClosed || snapshot.index <= (this.#record?.metadata.index ?? 0)) return
    this.#record = record
    this.#input(() => {
      this.#raft.snapshotTaken(metadata)
      this.#raft.compact(through)
    })
    await this.#options.store.wal.release(through)
    await this.#lanes.deleteOldSnapshots()
  }

  #tickLater(): void {
    const { clock, heartbeatMs, electionTimeoutMs } = this.#options
    const everyTicks = Math.max(1, Math.round(electionTimeoutMs / heartbeatMs))
    // One tick for each time it fires: after a stall lost time is not made up for, or everybody would campaign at once.
    this.#timer = clock.setTimer(
      () => {
        this.#tickLater()
        this.#ticks += 1
        if (this.#ticks % everyTicks === 0) this.#transport.cutSilent()
        this.#input(() => this.#raft.tick())
      },
      heartbeatMs,
      { keepAlive: true },
    )
  }

  #step(message: Message): void {
    if (this.#failure !== undefined || this.#isClosed) return
    try {
      this.#raft.step(message)
    } catch (error) {
      // What no peer would say cuts its connection; anything else means that this member can go on no more.
      if (error instanceof SkeinError) throw error
      this.fail(error as Error)
    }
    this.#schedule()
  }

  #unreachable(id: NodeId): void {
    if (this.#failure !== undefined || this.#isClosed) return
    this.#raft.reportUnreachable(id)
    this.#schedule()
  }

  /** Its id is taken: whatever the others acknowledge to it they do not know. Other refusals are for people to look at. */
  #refused(error: SkeinError): void {
    if (error.code === 'id-reused' && error.details.refusedBy !== undefined) this.fail(error)
  }

  #input(happen: () => void): void {
    if (this.#failure !== undefined || this.#isClosed) return
    try {
      happen()
    } catch (error) {
      this.fail(error as Error)
      return
    }
    this.#schedule()
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#options.clock.setImmediate(() => {
      this.#isScheduled = false
      this.#pump()
    })
  }

  #pump(): void {
    if (this.#isPumping || this.#failure !== undefined || this.#isClosed) return
    this.#isPumping = true
    try {
      do {
        for (let ready = this.#raft.ready(); ready !== undefined; ready = this.#raft.ready()) this.#handle(ready)
        this.#transport.flush()
      } while (this.#apply())
    } catch (error) {
      this.fail(error as Error)
    } finally {
      this.#isPumping = false
    }
  }

  #handle(ready: Ready): void {
    const { sink } = this.#options
    for (const message of ready.messages) this.#send(message)
    if (ready.softState !== undefined) sink.onRole(ready.softState)
    const record = ready.snapshot === undefined ? undefined : this.#lanes.arrived(ready.snapshot.index)
    const task = record === undefined ? undefined : { record, isDurable: false }
    if (task !== undefined) this.#tasks.push(task)
    if (ready.entries.length > 0) sink.onStored(ready.entries)
    if (ready.token !== undefined) this.#persist(ready, task)
    if (ready.committed.length > 0) this.#tasks.push({ entries: ready.committed })
    if (ready.readStates.length > 0) this.#reads.push(...ready.readStates)
    if (ready.abortedReads.length > 0) sink.onReadsAborted(ready.abortedReads)
  }

  #persist(ready: Ready, task: Extract<Task, { readonly record: SnapshotRecord }> | undefined): void {
    const { hardState, entries, mustSync, messagesAfterPersist, token } = ready
    const done = () => {
      if (this.#failure !== undefined || this.#isClosed) return
      for (const message of messagesAfterPersist) this.#send(message)
      if (task !== undefined) task.isDurable = true
      this.#input(() => this.#raft.persisted(token!))
    }
    this.#persister.store({ hardState, entries, installed: task?.record, mustSync, done })
  }

  #send(message: Message): void {
    if (message.type === 'snapshot') this.#lanes.send(message)
    else this.#transport.send(message)
  }

  /** Whether anything was applied, so that there may be more to do. */
  #apply(): boolean {
    let applied = 0
    for (let task = this.#tasks[0]; task !== undefined; task = this.#tasks[0]) {
      if ('record' in task && !task.isDurable) break
      this.#tasks.shift()
      if ('record' in task) applied = this.#install(task.record)
      else applied = this.#applyEntries(task.entries)
    }
    if (applied > 0) this.#raft.applied(applied)
    if (this.#reads.length > 0) this.#releaseReads()
    return applied > 0
  }

  #applyEntries(entries: readonly Entry[]): number {
    let hasChanged = false
    for (const entry of entries) {
      if (entry.kind !== 'config') continue
      this.#raft.applyConfigChange(entry)
      this.#members.apply(entry)
      hasChanged = true
    }
    this.#options.sink.onCommitted(entries)
    if (hasChanged) this.#membersChanged()
    return entries.at(-1)!.index
  }

  #install(record: SnapshotRecord): number {
    this.#record = record
    this.#members = new GroupMembers(record.members)
    this.#options.sink.onInstalled(record)
    this.#membersChanged()
    void this.#lanes.deleteOldSnapshots()
    return record.metadata.index
  }

  #releaseReads(): void {
    const { applied } = this.#raft.status()
    const due = this.#reads.filter(({ index }) => index <= applied)
    if (due.length === 0) return
    this.#reads = this.#reads.filter(({ index }) => index > applied)
    this.#options.sink.onReadable(due)
  }

  #membersChanged(): void {
    this.#connectMembers()
    this.#options.sink.onMembers()
  }

  #connectMembers(): void {
    const given = this.#options.addresses
    const addresses = new Map<NodeId, string>()
    for (const id of membersOf(this.#raft.status().configuration)) {
      const address = given?.get(id) ?? this.#members.addressOf(id)
      if (id !== this.#raft.id && address !== '') addresses.set(id, address)
    }
    this.#transport.setPeers(addresses)
  }

  /** Stops taking part for good: nothing is sent, nothing is stored, nothing is said any more. */
  fail(error: Error): void {
    if (this.#failure !== undefined || this.#isClosed) return
    this.#failure = error
    this.#timer?.cancel()
    void this.#transport.close()
    void this.#persister.stop()
    this.#options.sink.onFailed(error)
  }

  /** What was handed to the disk is finished. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#lanes.close()
    await this.#transport.close()
    await this.#persister.stop()
    await this.#options.store.close()
  }
}
