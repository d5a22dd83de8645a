import { SkeinError } from '../core/index.ts'
import { checkInitialState } from './check-initial-state.ts'
import type { ConfigChange } from './config-change.ts'
import type { Configuration } from './configuration.ts'
import { campaign } from './elections.ts'
import type { Entry } from './entry.ts'
import { forgetLeader } from './following.ts'
import { reportSnapshot, reportUnreachable } from './leader-replication.ts'
import { compact, markApplied, markPersisted, markSnapshotTaken } from './marks.ts'
import { applyConfigChange, installConfiguration, proposeConfigChange, snapshotMetadata } from './membership.ts'
import type { Message } from './message.ts'
import type { NodeId } from './node-id.ts'
import { type Proposed, propose } from './proposals.ts'
import { RaftCore } from './raft-core.ts'
import { type RaftOptions, resolveLimits } from './raft-options.ts'
import type { RaftStatus } from './raft-status.ts'
import type { PersistToken, Ready } from './ready.ts'
import { requestRead } from './request-read.ts'
import { restartElectionTimer } from './roles.ts'
import type { SnapshotMetadata } from './snapshot-metadata.ts'
import { statusOf } from './status-of.ts'
import { step } from './step.ts'
import { takeReady } from './take-ready.ts'
import { tick } from './tick.ts'
import { transferLeadership } from './transfer.ts'

/**
 * One member of a Raft group, as pure state: what happened goes in, `ready()` says what to do about it. No call waits,
 * none touches the machine. A call that throws a `SkeinError` has changed nothing; an assertion means that the driver or
 * a peer broke the protocol, and that this node must stop.
 *
 * Time is `tick()`: after a stall the driver must not make up for lost ticks, or every follower campaigns at once.
 */
export class RaftNode {
  readonly id: NodeId
  readonly #core: RaftCore

  constructor(options: RaftOptions) {
    const { id, random, state = {}, ...limits } = options
    if (!Number.isSafeInteger(id) || id < 1) {
      throw new SkeinError('bad-argument', `Cannot make a node of id ${id}: it must be a positive safe integer`)
    }
    checkInitialState(state)
    this.id = id
    this.#core = new RaftCore(id, { random, state, limits: resolveLimits(limits) })
    installConfiguration(this.#core, this.#core.applied, this.#core.quorums)
    restartElectionTimer(this.#core)
  }

  /** A unit of time has passed. */
  tick(): void {
    tick(this.#core)
  }

  /** A message has arrived. Throws `bad-input` for one that is not for this node. */
  step(message: Message): void {
    step(this.#core, message)
  }

  /**
   * Appends entries at the leader, all or none. The bytes are held as they are, not copied: they must not change any more.
   * Throws `NotLeaderError`, `overloaded`, `message-too-large`, and `bad-argument` for an empty batch.
   */
  propose(data: readonly Uint8Array[]): Proposed {
    return propose(this.#core, data)
  }

  /** Appends a change of configuration at the leader. Throws `NotLeaderError`, `ConfigChangeError`. */
  proposeConfigChange(change: ConfigChange): Proposed {
    return proposeConfigChange(this.#core, change)
  }

  /** Asks for a linearizable read point, here or by way of the leader; it comes with `Ready.readStates` or `abortedReads`. */
  readIndex(context: unknown): void {
    requestRead(this.#core, context)
  }

  /** Hands leadership to a voter, which is first brought up to date; given up after an election timeout. */
  transferLeadership(target: NodeId): void {
    transferLeadership(this.#core, target)
  }

  /** A follower that is told its leader is gone forgets it, and may at once vote for another. */
  forgetLeader(): void {
    forgetLeader(this.#core)
  }

  /** Campaigns now, without waiting for the election timeout. */
  campaign(): void {
    campaign(this.#core, { transfer: false })
  }

  /** A message to this peer was lost for certain. */
  reportUnreachable(id: NodeId): void {
    reportUnreachable(this.#core, id)
  }

  /** How the carriage of a snapshot to this peer ended. Must be called for each: until then nothing else is sent to it. */
  reportSnapshot(id: NodeId, ok: boolean): void {
    reportSnapshot(this.#core, id, ok)
  }

  /** What is to be done, or undefined. See `Ready` for the order. */
  ready(): Ready | undefined {
    return takeReady(this.#core)
  }

  /** The writes of that `Ready` are durable. Told too early, they wait for those before them. */
  persisted(token: PersistToken): void {
    markPersisted(this.#core, token)
  }

  /** The state machine holds everything through this index. */
  applied(index: number): void {
    markApplied(this.#core, index)
  }

  /** Makes a committed configuration change effective; to be called for every `config` entry, where it is applied. */
  applyConfigChange(entry: Entry): Configuration {
    return applyConfigChange(this.#core, entry)
  }

  /** What a snapshot of the state through `index` must say of itself: with the configuration of then, not of now. */
  snapshotMetadata(index: number): SnapshotMetadata {
    return snapshotMetadata(this.#core, index)
  }

  /** A snapshot is durable and may be sent to peers, and the log before it may be compacted. */
  snapshotTaken(snapshot: SnapshotMetadata): void {
    markSnapshotTaken(this.#core, snapshot)
  }

  /** Forgets entries through `index`, which a snapshot must cover; who needs them gets the snapshot. */
  compact(index: number): void {
    compact(this.#core, index)
  }

  /**
   * For tests and drills: campaigns after this many ticks instead of a random number; undefined draws again. Throws
   * `bad-argument` for no whole number from 1.
   */
  setElectionTimeout(ticks: number | undefined): void {
    if (ticks !== undefined && !(Number.isSafeInteger(ticks) && ticks >= 1)) {
      throw new SkeinError('bad-argument', `Cannot campaign after ${ticks} ticks: it must be a whole number from 1`)
    }
    this.#core.fixedElectionTimeout = ticks
    restartElectionTimer(this.#core)
  }

  /** Everything, as a copy; `term` and `configuration` alone cost nothing. */
  status(): RaftStatus {
    return statusOf(this.#core)
  }

  get term(): number {
    return this.#core.term
  }

  /** As of the newest change that was applied. */
  get configuration(): Configuration {
    return this.#core.quorums
  }
}
