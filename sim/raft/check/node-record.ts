import type { RaftStatus, Role } from '../../../src/raft/index.ts'
import type { SimulatedVolume } from '../../../testing/index.ts'
import { DurableView } from './durable-view.ts'
import { LogMirror } from './log-mirror.ts'

/** What a checker remembers of one node, over its restarts. */
export class NodeRecord {
  readonly id: number
  readonly disk: DurableView
  /** The log as the core handed it out. */
  readonly log = new LogMirror()
  status: RaftStatus | undefined
  /** Highest ever, over restarts. */
  term = 0
  commit = 0
  applied = 0
  role: Role = 'follower'
  /** Acknowledged to a leader: must be on the disk whatever happens. */
  acknowledged = { index: 0, term: 0 }
  /** Its disk was damaged beyond what it could lose: nothing is expected of it any more. */
  isDamaged = false
  ticks = 0
  leaderSinceTick = 0
  configuredAtTick = 0
  configuration = ''
  /** Of a follower: when it last heard from a leader of its term. */
  heardLeaderAtTick = Number.NEGATIVE_INFINITY
  readonly heardAtTick = new Map<number, number>()
  /** Appends with entries since the peer was heard of. */
  readonly unheard = new Map<number, { messages: number; bytes: number }>()
  /** Who granted a pre-vote, by the term it was for. */
  readonly preVotes = new Map<number, Set<number>>()
  /** Terms in which it was told to campaign at once. */
  readonly toldToCampaign = new Set<number>()
  /** Requests for a vote by who had all that this node had, and by who had not. */
  readonly fit = new Set<string>()
  readonly behind = new Set<string>()
  /** Requests for a vote that came while it had a leader. */
  readonly leased = new Set<string>()
  /** Who granted a vote, by term. */
  readonly votes = new Map<number, Set<number>>()
  /** How far messages of this term have shown the log to be equal to the leader's. */
  verified = { term: 0, index: 0, entryTerm: 0 }
  /** Of a leader: what it said that each peer has. */
  readonly matches = new Map<number, number>()
  /** Of reads that it asked a leader for, over all of its lives. */
  readonly requests = new Set<number>()
  readonly readFloors = new Map<unknown, number>()

  constructor(id: number, volume: SimulatedVolume) {
    this.id = id
    this.disk = new DurableView(volume)
  }

  /** The process is gone; what it promised stays. */
  forget(): void {
    this.status = undefined
    this.role = 'follower'
    this.commit = 0
    this.applied = 0
    this.heardLeaderAtTick = Number.NEGATIVE_INFINITY
    this.heardAtTick.clear()
    this.unheard.clear()
    this.preVotes.clear()
    this.votes.clear()
    this.matches.clear()
    this.verified = { term: 0, index: 0, entryTerm: 0 }
    this.leased.clear()
    this.fit.clear()
    this.behind.clear()
    this.readFloors.clear()
  }
}
