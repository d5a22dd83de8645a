import {
  type Message,
  type NodeId,
  RaftNode,
  type RaftOptions,
  type Ready,
  type SnapshotMetadata,
} from '../../src/raft/index.ts'
import type { Invariants } from './check/invariants.ts'

/** The core as it is, with a checker at each of its ports. Whatever drives it, nothing gets past. */
export class ObservedRaft extends RaftNode {
  readonly #invariants: Invariants

  constructor(options: RaftOptions, invariants: Invariants) {
    super(options)
    this.#invariants = invariants
    invariants.started(options.id, options.state ?? {})
    invariants.handedOut(options.id, undefined, super.status())
  }

  override tick(): void {
    super.tick()
    this.#invariants.ticked(this.id, super.status())
  }

  override step(message: Message): void {
    this.#invariants.received(this.id, message)
    const before = super.status()
    super.step(message)
    this.#invariants.stepped(message, { before, after: super.status() })
  }

  override readIndex(context: unknown): void {
    this.#invariants.readAsked(this.id, context)
    super.readIndex(context)
  }

  override reportUnreachable(id: NodeId): void {
    super.reportUnreachable(id)
    this.#invariants.reportedUnreachable(this.id, id)
  }

  override snapshotMetadata(index: number): SnapshotMetadata {
    const metadata = super.snapshotMetadata(index)
    this.#invariants.described(this.id, index, metadata)
    return metadata
  }

  override ready(): Ready | undefined {
    const ready = super.ready()
    this.#invariants.handedOut(this.id, ready, super.status())
    return ready
  }
}
