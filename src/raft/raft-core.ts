import { type Random, SkeinError } from '../core/index.ts'
import { ApplyWindow } from './apply-window.ts'
import type { Membership } from './change-configuration.ts'
import { type Configuration, configuration } from './configuration.ts'
import { ForwardedReads } from './forwarded-reads.ts'
import type { HardState } from './hard-state.ts'
import { NOBODY, type NodeId } from './node-id.ts'
import { Outbox } from './outbox.ts'
import { PersistQueue } from './persist-queue.ts'
import type { Progress } from './progress.ts'
import { RaftLog } from './raft-log.ts'
import type { InitialState, RaftLimits } from './raft-options.ts'
import { ReadRounds } from './read-rounds.ts'
import type { ReadState, Role, SoftState } from './ready.ts'

/**
 * The state of one node, open to the files of this room that act on it and to nobody else: each of them holds one part
 * of the protocol. It decides nothing itself.
 */
export class RaftCore {
  readonly id: NodeId
  readonly limits: RaftLimits
  readonly random: Random
  readonly log: RaftLog
  readonly outbox = new Outbox()
  readonly persists = new PersistQueue()
  readonly applyWindow: ApplyWindow
  readonly readRounds: ReadRounds
  readonly forwardedReads: ForwardedReads

  role: Role = 'follower'
  term: number
  vote: NodeId
  leader: NodeId = NOBODY
  /** Answers to this node's own campaign. */
  readonly votes = new Map<NodeId, boolean>()

  electionElapsed = 0
  heartbeatElapsed = 0
  electionTimeout = 0
  /** Set by a test, instead of a drawn one. */
  fixedElectionTimeout: number | undefined

  membership: Membership<Progress>
  /** Everyone else, with what is known of them: the membership's progress without this node, ready to be walked. */
  others: ReadonlyArray<readonly [NodeId, Progress]> = []
  /** The entry that the configuration is of. */
  configurationIndex: number
  /** Configurations by the entry that made them, oldest first: as many as snapshots may still ask for. */
  configurations: Array<{ readonly index: number; readonly configuration: Configuration }>
  /** Of a leader: no change of configuration may be proposed before this entry is applied. */
  pendingConfigIndex = 0
  /** Configuration changes handed out and not yet applied. */
  handedConfigIndexes: number[] = []

  /** The last entry handed out to be applied. */
  handedToApply: number
  applied: number
  uncommittedBytes = 0

  transferTarget: NodeId = NOBODY
  /** Ticks since the transfer began. */
  transferElapsed = 0
  transferSent = false

  readStates: ReadState[] = []
  abortedReads: unknown[] = []

  /** What was handed out last, so that `ready()` tells changes only. */
  handedSoftState: SoftState = { role: 'follower', leader: NOBODY }
  handedHardState: HardState
  /** The term and vote that are known to be durable. */
  durableTerm: number
  durableVote: NodeId

  constructor(
    id: NodeId,
    options: { readonly limits: RaftLimits; readonly random: Random; readonly state: InitialState },
  ) {
    const { limits, random, state } = options
    this.id = id
    this.limits = limits
    this.random = random
    this.log = new RaftLog(state)
    this.applyWindow = new ApplyWindow(limits.applyBytesMax)
    this.readRounds = new ReadRounds(limits.pendingReadsMax)
    this.forwardedReads = new ForwardedReads(limits.pendingReadsMax, random)
    // Without a stored term there is none that was heard of and is in no entry.
    this.term = state.hardState?.term ?? this.log.lastTerm
    this.vote = state.hardState?.vote ?? NOBODY
    this.durableTerm = this.term
    this.durableVote = this.vote
    this.handedHardState = { term: this.term, vote: this.vote, commit: this.log.commit }
    this.applied = state.applied ?? state.snapshot?.index ?? 0
    this.handedToApply = this.applied
    if (this.applied < this.log.firstIndex - 1) {
      const problem = `the state machine ends at entry ${this.applied}, the log begins at ${this.log.firstIndex}`
      throw new SkeinError('corrupt', `Cannot start from the stored state: ${problem}; restore the snapshot first`)
    }
    this.configurationIndex = this.applied
    const initial = configuration(state.configuration ?? state.snapshot?.configuration)
    this.membership = { configuration: initial, progress: new Map() }
    this.configurations = [{ index: this.applied, configuration: initial }]
  }

  get quorums(): Configuration {
    return this.membership.configuration
  }

  /** This node's own progress; undefined when it is no member. */
  get ownProgress(): Progress | undefined {
    return this.membership.progress.get(this.id)
  }

  /** Whether everything this node may have said of itself is durable. */
  get isAllDurable(): boolean {
    return (
      this.persists.isEmpty && !this.log.hasUnhanded && this.term === this.durableTerm && this.vote === this.durableVote
    )
  }
}
