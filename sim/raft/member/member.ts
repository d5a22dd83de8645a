import type { Random } from '../../../src/core/index.ts'
import type { ConfigChange, Entry, Message, RaftNode, RaftOptions, RaftStatus } from '../../../src/raft/index.ts'
import type { SimulatedEvent, SimulatedVolume } from '../../../testing/index.ts'
import type { Reply, StateMachine } from '../state-machine.ts'

/** What processes say to each other. Every packet tells the version of its sender. */
export interface Packet {
  readonly version: number
  readonly body:
    | { readonly type: 'raft'; readonly message: Message }
    | {
        readonly type: 'snapshot'
        readonly message: Extract<Message, { readonly type: 'snapshot' }>
        readonly file: Uint8Array
      }
    | { readonly type: 'snapshot-end'; readonly index: number }
}

/** How a proposal ended. `refused`: it is certainly in no log. */
export type ProposalOutcome =
  | { readonly status: 'applied'; readonly reply: Reply | undefined }
  | { readonly status: 'refused'; readonly leader: number }
  | { readonly status: 'unknown' }

export type ReadOutcome =
  | { readonly status: 'read'; readonly value: string | null; readonly applied: number }
  | { readonly status: 'aborted' }

/** What the simulated world gives a node to live in. Nothing else touches it, so everything can be watched and broken. */
export interface MemberHost {
  readonly id: number
  /** The build that runs: the highest feature level it understands. */
  readonly version: number
  readonly volume: SimulatedVolume
  readonly random: Random
  readonly tickMs: number
  /** How long the state machine takes for what was committed together. */
  readonly applyMsMax: number
  readonly snapshotEntries: number
  readonly keptEntries: number
  readonly raftOptions: Omit<RaftOptions, 'id' | 'random' | 'state'>
  /** By this node's own clock, which may run fast or slow. Ends with the process. */
  after(delayMs: number, callback: () => void): SimulatedEvent
  /** This node's wall clock, which may jump. */
  wallMs(): number
  send(to: number, packet: Packet): void
  createRaft(options: RaftOptions): RaftNode
  createStateMachine(image?: Uint8Array): StateMachine
  /** Told before an entry takes effect, and after. */
  applied(entry: Entry, reply: Reply | undefined, machine: StateMachine): void
  /** A snapshot took the place of the state. */
  restored(machine: StateMachine): void
  /** Ends this process: does not return. */
  stop(reason: Error): never
}

/**
 * A node under test, from start to crash. The world drives it through these calls only; the driver of the real disk and
 * socket can stand here as well as the small one in `raft-member.ts`.
 */
export interface Member {
  receive(from: number, packet: Packet): void
  /** Something sent to this peer was lost for certain. `isGone`: its process has ended. */
  unreachable(peer: number, how: { readonly isGone: boolean }): void
  propose(data: Uint8Array, done: (outcome: ProposalOutcome) => void): void
  read(key: string, done: (outcome: ReadOutcome) => void): void
  /** Throws what the core throws. */
  change(change: ConfigChange): void
  transfer(target: number): void
  takeSnapshot(options: { readonly keptEntries: number }): void
  readonly status: RaftStatus
  readonly machine: StateMachine
}

/** Reads what is on the disk and starts; throws when the disk cannot be trusted. */
export type StartMember = (host: MemberHost) => Member
