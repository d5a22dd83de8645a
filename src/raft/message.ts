import type { Entry } from './entry.ts'
import type { NodeId } from './node-id.ts'
import type { SnapshotMetadata } from './snapshot-metadata.ts'

interface Envelope {
  readonly from: NodeId
  readonly to: NodeId
  /** The sender's term; of a pre-vote request, and of its grant, the term that would be campaigned for. */
  readonly term: number
}

/** Entries that follow `prevIndex`; without any: a probe, or only news of the commit index. */
export interface AppendMessage extends Envelope {
  readonly type: 'append'
  readonly prevIndex: number
  readonly prevTerm: number
  readonly entries: readonly Entry[]
  readonly commit: number
}

/** The sender's log equals the leader's through `index`, durably. */
export interface AppendAcceptedMessage extends Envelope {
  readonly type: 'append-accepted'
  readonly index: number
}

/** The sender's log has no entry like the leader's at `index`. */
export interface AppendRejectedMessage extends Envelope {
  readonly type: 'append-rejected'
  /** The `prevIndex` of the append that was refused. */
  readonly index: number
  /** The highest index at which the logs may still agree, and the term the sender has there (0: none). */
  readonly hintIndex: number
  readonly hintTerm: number
}

export interface HeartbeatMessage extends Envelope {
  readonly type: 'heartbeat'
  /** Never beyond what the receiver has acknowledged to this leader. */
  readonly commit: number
  /** The newest round of reads that the leader wants confirmed; 0 before the first. */
  readonly readRound: number
}

export interface HeartbeatReplyMessage extends Envelope {
  readonly type: 'heartbeat-reply'
  /** The round of the heartbeat it answers. */
  readonly readRound: number
}

/**
 * What the sender knows to be committed. Whoever has this very entry may call it committed too: a voter that alone was not
 * told of a change of configuration would otherwise go on asking for votes by the old one, and get none.
 */
interface CommitNews {
  readonly commit: number
  readonly commitTerm: number
}

export interface VoteRequestMessage extends Envelope, CommitNews {
  readonly type: 'vote-request'
  /** Asks only whether a vote would be granted; nobody's term or vote changes. */
  readonly preVote: boolean
  /** The sender's last entry. */
  readonly lastIndex: number
  readonly lastTerm: number
  /** The leader itself asked for this election: a lease does not stand against it. */
  readonly transfer: boolean
}

export interface VoteReplyMessage extends Envelope, CommitNews {
  readonly type: 'vote-reply'
  readonly preVote: boolean
  readonly granted: boolean
}

/**
 * The receiver is to install this snapshot. The driver carries the contents, on a lane of its own, and steps the message
 * in only when they have arrived whole and verified; how it ended it tells the sender by `reportSnapshot()`.
 */
export interface SnapshotMessage extends Envelope {
  readonly type: 'snapshot'
  readonly snapshot: SnapshotMetadata
}

/** The leader hands over: the receiver campaigns at once. */
export interface TimeoutNowMessage extends Envelope {
  readonly type: 'timeout-now'
}

/** A follower asks the leader to hand over to `target`. */
export interface TransferMessage extends Envelope {
  readonly type: 'transfer'
  readonly target: NodeId
}

/** A follower asks for a linearizable read point. */
export interface ReadRequestMessage extends Envelope {
  readonly type: 'read-request'
  /** Unique for the asking process, across its restarts. */
  readonly request: number
}

export interface ReadReplyMessage extends Envelope {
  readonly type: 'read-reply'
  readonly request: number
  readonly index: number
}

/** Everything that nodes say to each other. Plain data: how it travels is the driver's. */
export type Message =
  | AppendMessage
  | AppendAcceptedMessage
  | AppendRejectedMessage
  | HeartbeatMessage
  | HeartbeatReplyMessage
  | VoteRequestMessage
  | VoteReplyMessage
  | SnapshotMessage
  | TimeoutNowMessage
  | TransferMessage
  | ReadRequestMessage
  | ReadReplyMessage
