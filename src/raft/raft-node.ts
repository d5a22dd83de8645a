import { UnsupportedError } from '../core/index.ts'
import type { ConfigChange } from './config-change.ts'
import type { Configuration } from './configuration.ts'
import type { Entry } from './entry.ts'
import type { Message } from './message.ts'
import type { NodeId } from './node-id.ts'
import type { RaftOptions } from './raft-options.ts'
import type { RaftStatus } from './raft-status.ts'
import type { PersistToken, Ready } from './ready.ts'
import type { SnapshotMetadata } from './snapshot-metadata.ts'

/** Where proposed entries stand: if the entry at `last` is committed with `term`, all are; with another term, none is. */
export interface Proposed {
  readonly first: number
  readonly last: number
  readonly term: number
}

/**
 * One member of a Raft group, as pure state: what happened goes in, `ready()` says what to do about it. No call waits,
 * none touches the machine. A call that throws a `SkeinError` has changed nothing; an assertion means that the driver or
 * a peer broke the protocol, and that this node must stop.
 *
 * Time is `tick()`: after a stall the driver must not make up for lost ticks, or every follower campaigns at once.
 */
export class RaftNode {
  readonly id: NodeId

  constructor(options: RaftOptions) {
    this.id = options.id
  }

  /** A unit of time has passed. */
  tick(): void {
    throw notBuilt('tick()')
  }

  /** A message has arrived. Throws `bad-input` for one that is not for this node. */
  step(message: Message): void {
    throw notBuilt(`step(${message.type})`)
  }

  /** Appends entries at the leader, all or none. Throws `NotLeaderError`, `overloaded`, `message-too-large`. */
  propose(data: readonly Uint8Array[]): Proposed {
    throw notBuilt(`propose() of ${data.length}`)
  }

  /** Appends a change of configuration at the leader. Throws `NotLeaderError`, `ConfigChangeError`. */
  proposeConfigChange(change: ConfigChange): Proposed {
    throw notBuilt(`proposeConfigChange(${change.mode})`)
  }

  /** Asks for a linearizable read point, here or by way of the leader; it comes with `Ready.readStates` or `abortedReads`. */
  readIndex(context: unknown): void {
    throw notBuilt(`readIndex(${typeof context})`)
  }

  /** Hands leadership to a voter, which is first brought up to date; given up after an election timeout. */
  transferLeadership(target: NodeId): void {
    throw notBuilt(`transferLeadership(${target})`)
  }

  /** A follower that is told its leader is gone forgets it, and may at once vote for another. */
  forgetLeader(): void {
    throw notBuilt('forgetLeader()')
  }

  /** Campaigns now, without waiting for the election timeout. */
  campaign(): void {
    throw notBuilt('campaign()')
  }

  /** A message to this peer was lost for certain. */
  reportUnreachable(id: NodeId): void {
    throw notBuilt(`reportUnreachable(${id})`)
  }

  /** How the carriage of a snapshot to this peer ended. Must be called for each: until then nothing else is sent to it. */
  reportSnapshot(id: NodeId, ok: boolean): void {
    throw notBuilt(`reportSnapshot(${id}, ${ok})`)
  }

  /** What is to be done, or undefined. See `Ready` for the order. */
  ready(): Ready | undefined {
    throw notBuilt('ready()')
  }

  /** The writes of that `Ready` are durable. Told too early, they wait for those before them. */
  persisted(token: PersistToken): void {
    throw notBuilt(`persisted(${token.sequence})`)
  }

  /** The state machine holds everything through this index. */
  applied(index: number): void {
    throw notBuilt(`applied(${index})`)
  }

  /** Makes a committed configuration change effective; to be called for every `config` entry, where it is applied. */
  applyConfigChange(entry: Entry): Configuration {
    throw notBuilt(`applyConfigChange(${entry.index})`)
  }

  /** What a snapshot of the state through `index` must say of itself: with the configuration of then, not of now. */
  snapshotMetadata(index: number): SnapshotMetadata {
    throw notBuilt(`snapshotMetadata(${index})`)
  }

  /** A snapshot is durable and may be sent to peers, and the log before it may be compacted. */
  snapshotTaken(snapshot: SnapshotMetadata): void {
    throw notBuilt(`snapshotTaken(${snapshot.index})`)
  }

  /** Forgets entries through `index`, which a snapshot must cover; who needs them gets the snapshot. */
  compact(index: number): void {
    throw notBuilt(`compact(${index})`)
  }

  /** For tests and drills: campaigns after this many ticks instead of a random number; undefined draws again. */
  setElectionTimeout(ticks: number | undefined): void {
    throw notBuilt(`setElectionTimeout(${ticks})`)
  }

  status(): RaftStatus {
    throw notBuilt('status()')
  }
}

function notBuilt(call: string): UnsupportedError {
  return new UnsupportedError(call, 'it is being built')
}
