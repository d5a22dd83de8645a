import { type Clock, ClosedError, SkeinError } from '../../core/index.ts'
import { type Entry, isJoint, NOBODY, type NodeId, NotLeaderError } from '../../raft/index.ts'
import { checkCommands } from '../check-commands.ts'
import { checkCompaction } from '../check-compaction.ts'
import type { LogAdmin } from '../log-admin.ts'
import type { LogStatus } from '../log-status.ts'
import {
  type DriverSink,
  memberOf,
  membersIn,
  type PeerState,
  PendingProposals,
  RaftAdmin,
  type RaftDriver,
  type SnapshotRecord,
  type StoredState,
  successorOf,
} from '../raft-node/index.ts'
import type { Appended, LogDurability, LogRead, ReadOptions, ReplicatedLog } from '../replicated-log.ts'
import type { SnapshotRef } from '../snapshot-ref.ts'
import type { SnapshotStore } from '../snapshot-store.ts'
import type { WaitOptions } from '../wait-options.ts'
import { Wake } from '../wake.ts'
import { Barriers } from './barriers.ts'
import { COMMAND_HEADER_BYTES, encodeCommands, timeOf } from './command-codec.ts'
import { CommittedLog } from './committed-log.ts'

export interface RaftLogParts {
  readonly clock: Clock
  readonly snapshots: SnapshotStore
  readonly state: StoredState
  readonly storage: 'real' | 'memory'
  readonly commandBytesMax: number
  readonly retainedBytesMax: number
  readonly heartbeatMs: number
  readonly electionTimeoutMs: number
}

/** How this member is connected to the others. */
export interface RaftConnections {
  readonly peers: readonly PeerState[]
  /** Connections cut for what they sent, since the start. */
  readonly malformed: number
  /** Connections of other clusters, or with ids that are not theirs. */
  readonly refused: number
}

const DRAIN_MS_MAX = 5_000

/** The replicated log that a Raft group keeps by itself. */
export class RaftLog implements ReplicatedLog {
  readonly snapshots: SnapshotStore
  readonly admin: LogAdmin
  /** What its driver tells it. */
  readonly sink: DriverSink
  readonly #parts: RaftLogParts
  readonly #committed: CommittedLog
  readonly #appends = new PendingProposals()
  readonly #changesPending = new PendingProposals()
  readonly #barriers: Barriers
  readonly #news = new Wake()
  #driver!: RaftDriver
  #logTimeMs: number
  #isLeading = false
  /** The durability of receipts, until the members change. */
  #granted: LogDurability | undefined
  #compacting: Promise<void> = Promise.resolve()
  #isDraining = false
  #ending: Promise<void> | undefined
  #draining: Promise<void> | undefined
  #isClosed = false

  constructor(parts: RaftLogParts) {
    const { snapshots, state } = parts
    this.#parts = parts
    this.snapshots = snapshots
    const snapshot = state.snapshot?.snapshot
    const kept = state.entries.filter(({ index }) => index <= (snapshot?.index ?? 0))
    this.#committed = new CommittedLog(snapshot, kept)
    this.#logTimeMs = newestTime(state.entries, snapshot?.timeMs ?? 0)
    this.#barriers = new Barriers((context) => this.#driver.readIndex(context))
    this.sink = this.#makeSink()
    this.admin = new RaftAdmin({
      driver: () => this.#usable(),
      clock: parts.clock,
      pending: this.#changesPending,
      members: () => membersIn(this.#driver),
      news: this.#news,
      everyMs: parts.heartbeatMs,
      giveUpMs: 10 * parts.electionTimeoutMs,
    })
  }

  /** Called once, before anything else. */
  stand(driver: RaftDriver): void {
    this.#driver = driver
  }

  #makeSink(): DriverSink {
    return {
      onCommitted: (entries) => this.#onCommitted(entries),
      onInstalled: (record) => this.#onInstalled(record),
      onRole: ({ role }) => {
        this.#isLeading = role === 'leader'
        if (!this.#isLeading) {
          this.#appends.abandon('this member no longer leads')
          this.#changesPending.abandon('this member no longer leads')
        }
        this.#news.wake()
      },
      onReadable: (states) => this.#barriers.readable(states),
      onReadsAborted: (contexts) => {
        this.#barriers.aborted(contexts, new NotLeaderError('find a read point', this.#driver.status.leader))
      },
      onStored: (entries) => {
        this.#logTimeMs = newestTime(entries, this.#logTimeMs)
      },
      onMembers: () => {
        this.#granted = undefined
        this.#news.wake()
      },
      onFailed: (error) => this.#onFailed(error),
    }
  }

  #onCommitted(entries: readonly Entry[]): void {
    this.#committed.add(entries)
    if (!this.#appends.isEmpty) this.#appends.committed(entries)
    if (!this.#changesPending.isEmpty) this.#changesPending.committed(entries)
  }

  #onInstalled({ snapshot }: SnapshotRecord): void {
    this.#logTimeMs = Math.max(this.#logTimeMs, snapshot.timeMs)
    this.#committed.reset(snapshot)
    this.#news.wake()
  }

  #onFailed(error: Error): void {
    this.#appends.abandon('this member has stopped', error)
    this.#changesPending.abandon('this member has stopped', error)
    this.#barriers.close(error)
    this.#committed.close(error)
    this.#news.wake()
  }

  /** The driver, as long as it takes part. */
  #usable(): RaftDriver {
    if (this.#isClosed) throw new ClosedError('this replicated log')
    const { failure } = this.#driver
    if (failure !== undefined) throw failure
    return this.#driver
  }

  async append(commands: readonly Uint8Array[], { signal }: WaitOptions = {}): Promise<Appended> {
    signal?.throwIfAborted()
    const driver = this.#usable()
    if (this.#isDraining) throw new ClosedError('this replicated log')
    checkCommands(commands, this.#parts.commandBytesMax)
    this.#checkRoom(driver)
    const timeMs = Math.max(this.#parts.clock.nowMs(), this.#logTimeMs)
    const proposed = driver.propose(encodeCommands(commands, { timeMs, term: driver.term }))
    this.#logTimeMs = timeMs
    const { first, last, term } = await this.#appends.wait(proposed, signal)
    return { first, last, term, durability: this.#durability() }
  }

  #checkRoom(driver: RaftDriver): void {
    if (driver.isDiskFull) {
      throw new SkeinError('disk-full', 'Cannot append: the disk of this member is full; make room, then try again', {
        retryable: true,
      })
    }
    const { retainedBytesMax } = this.#parts
    if (this.#committed.bytes <= retainedBytesMax) return
    const message = `Cannot append: ${this.#committed.bytes} bytes of entries are held since the last compaction, at most ${retainedBytesMax} may be; write a snapshot and compact`
    throw new SkeinError('overloaded', message, { details: { bytesMax: retainedBytesMax } })
  }

  /** What an acknowledgment survives now, with as many voters as there are. */
  #durability(): LogDurability {
    this.#granted ??= this.#grant()
    return this.#granted
  }

  #grant(): LogDurability {
    const { configuration } = this.#driver
    const isAlone = configuration.voters.length < 2 && !isJoint(configuration)
    if (this.#parts.storage === 'memory') return isAlone ? 'none' : 'replicated'
    return isAlone ? 'durable' : 'quorum-durable'
  }

  read(from: number, options: ReadOptions = {}): AsyncIterable<LogRead> {
    if (!Number.isSafeInteger(from) || from < 0) {
      throw new SkeinError('bad-argument', `Cannot read from entry ${from}: it must be a whole number from 0`)
    }
    return this.#committed.read(from, options)
  }

  async barrier({ signal }: WaitOptions = {}): Promise<number> {
    signal?.throwIfAborted()
    this.#usable()
    return this.#barriers.wait(signal)
  }

  compact(through: number, snapshot: SnapshotRef, { signal }: WaitOptions = {}): Promise<void> {
    const done = this.#compacting.then(() => this.#compact(through, snapshot, signal))
    this.#compacting = done.catch(() => undefined)
    return done
  }

  async #compact(through: number, snapshot: SnapshotRef, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted()
    const driver = this.#usable()
    checkCompaction(through, snapshot, this.#committed.committed)
    if (snapshot.index <= (this.#committed.snapshot?.index ?? 0)) return
    // Nothing is let go for a snapshot that is not there.
    await this.snapshots.manifest(snapshot)
    await driver.compact(through, snapshot)
    if (driver.snapshot?.snapshot.name === snapshot.name) this.#committed.compact(through, snapshot)
    this.#news.wake()
  }

  status(): LogStatus {
    const { id, role, leader, term } = this.#driver.status
    const { failure } = this.#driver
    const isOut = this.#isClosed || failure !== undefined
    const following = leader === NOBODY ? 'electing' : 'following'
    return {
      implementation: 'raft',
      state: isOut ? 'closed' : role === 'leader' ? 'leading' : following,
      id: String(id),
      term,
      leader: leader === NOBODY ? undefined : memberOf(this.#driver, leader),
      firstIndex: this.#committed.firstIndex,
      committedIndex: this.#committed.committed,
      snapshot: this.#committed.snapshot,
      retainedBytes: this.#committed.bytes,
      members: membersIn(this.#driver),
      failure,
    }
  }

  async *changes({ signal }: WaitOptions = {}): AsyncGenerator<LogStatus, void, undefined> {
    for (;;) {
      signal?.throwIfAborted()
      const news = this.#news.wait(signal)
      // Whoever leaves the loop meanwhile waits for nothing.
      news.catch(() => undefined)
      const status = this.status()
      yield status
      if (status.state === 'closed') return
      await news
    }
  }

  /** How the others are reached. */
  connections(): RaftConnections {
    return this.#driver.connections()
  }

  /** Where others reach this member. */
  get address(): string {
    return this.#driver.address
  }

  drain(): Promise<void> {
    this.#draining ??= this.#drain()
    return this.#draining
  }

  async #drain(): Promise<void> {
    this.#isDraining = true
    const untilMs = this.#parts.clock.monotonicMs() + DRAIN_MS_MAX
    const isOver = () => this.#isClosed || this.#parts.clock.monotonicMs() > untilMs
    while (!this.#appends.isEmpty && !isOver()) await this.#parts.clock.sleep(this.#parts.heartbeatMs / 10)
    const successor = this.#successor()
    if (successor !== NOBODY && !isOver()) {
      this.#driver.transfer(successor)
      while (this.#isLeading && !isOver()) await this.#parts.clock.sleep(this.#parts.heartbeatMs / 10)
    }
    await this.close()
  }

  /** If this member leads, and there is one. */
  #successor(): NodeId {
    if (this.#isClosed || this.#driver.failure !== undefined) return NOBODY
    return successorOf(this.#driver.status)
  }

  close(): Promise<void> {
    this.#ending ??= this.#close()
    return this.#ending
  }

  async #close(): Promise<void> {
    this.#isClosed = true
    this.#appends.abandon('the log was closed')
    this.#changesPending.abandon('the log was closed')
    this.#barriers.close(new ClosedError('this replicated log'))
    this.#committed.close()
    this.#news.wake()
    await this.#driver.close()
  }
}

/** Log time never goes back, whoever leads: it is the greatest that this member has stored. */
function newestTime(entries: readonly Entry[], knownMs: number): number {
  const last = entries.findLast(({ kind, data }) => kind === 'command' && data.length >= COMMAND_HEADER_BYTES)
  return last === undefined ? knownMs : Math.max(knownMs, timeOf(last))
}
