import { type Clock, SkeinError } from '../../core/index.ts'
import type { Message, NodeId } from '../../raft/index.ts'
import type { SnapshotStore } from '../snapshot-store.ts'
import type { FramedConnection } from './framed-connection.ts'
import type { SnapshotOffer } from './snapshot-lane.ts'
import { SnapshotReceiver } from './snapshot-receiver.ts'
import type { SnapshotRecord } from './snapshot-record.ts'
import { sendSnapshot } from './snapshot-sender.ts'
import type { Transport } from './transport.ts'

type SnapshotMessage = Extract<Message, { readonly type: 'snapshot' }>

export interface SnapshotLanesOptions {
  readonly clock: Clock
  readonly snapshots: SnapshotStore
  readonly transport: Transport
  readonly store: { readonly identity: { readonly node: NodeId } }
  /** The newest of this member. */
  readonly record: () => SnapshotRecord | undefined
  readonly isWanted: (index: number) => boolean
  /** The carriage to a peer ended. */
  readonly onSent: (to: NodeId, ok: boolean) => void
  /** One has arrived whole: the core may hear of it. */
  readonly onArrived: (message: SnapshotMessage) => void
}

/** Snapshots on their way to and from other members, each on a connection of its own. */
export class SnapshotLanes {
  readonly #options: SnapshotLanesOptions
  readonly #arrived = new Map<number, SnapshotRecord>()
  readonly #sending = new Map<NodeId, SnapshotRecord>()
  #receiver: { readonly lane: FramedConnection; readonly receiver: SnapshotReceiver } | undefined
  #isClosed = false

  constructor(options: SnapshotLanesOptions) {
    this.#options = options
  }

  /** What arrived whole and the core now asks to be stored. Kept until it, or a later one, is this member's own. */
  arrived(index: number): SnapshotRecord | undefined {
    return this.#arrived.get(index)
  }

  send(message: SnapshotMessage): void {
    void this.#carry(message).then(
      () => this.#options.onSent(message.to, true),
      () => this.#options.onSent(message.to, false),
    )
  }

  async #carry({ to, term, snapshot }: SnapshotMessage): Promise<void> {
    const { snapshots, transport, clock } = this.#options
    const record = this.#options.record()
    if (record?.metadata.index !== snapshot.index) throw replaced(snapshot.index)
    this.#sending.set(to, record)
    try {
      const manifest = await snapshots.manifest(record.snapshot)
      const lane = await transport.openSnapshotLane(to)
      await sendSnapshot(lane, { term, record, manifest }, { snapshots, clock })
    } finally {
      this.#sending.delete(to)
    }
  }

  /** One at a time: a newer lane takes the place of the one before. */
  receive(from: NodeId, lane: FramedConnection): void {
    this.#receiver?.lane.cut()
    const receiver = new SnapshotReceiver(lane, {
      snapshots: this.#options.snapshots,
      isWanted: ({ record }) => this.#options.isWanted(record.metadata.index),
      onArrived: (offer) => this.#take(from, offer),
    })
    this.#receiver = { lane, receiver }
  }

  #take(from: NodeId, { term, record }: SnapshotOffer): void {
    if (this.#isClosed) return
    const { metadata } = record
    if (this.#options.isWanted(metadata.index)) {
      this.#arrived.set(metadata.index, record)
    }
    const to = this.#options.store.identity.node
    this.#options.onArrived({ type: 'snapshot', from, to, term, snapshot: metadata })
  }

  /** Only the newest is kept, and what is just being sent or fetched. What cannot be deleted now is deleted another time. */
  async deleteOldSnapshots(): Promise<void> {
    const own = this.#options.record()
    // The core may refuse a later one, of a leader that was replaced, and ask for an earlier one to be stored.
    for (const index of this.#arrived.keys()) if (index <= (own?.metadata.index ?? 0)) this.#arrived.delete(index)
    const offered = this.#receiver?.lane.hasEnded === false ? this.#receiver.receiver.offered : undefined
    const records = [own, ...this.#sending.values(), ...this.#arrived.values(), offered?.record]
    const kept = records.flatMap((record) => (record === undefined ? [] : [record.snapshot]))
    await this.#options.snapshots.deleteOthers(kept).catch(() => undefined)
  }

  close(): void {
    this.#isClosed = true
    this.#receiver?.lane.cut()
  }
}

function replaced(index: number): SkeinError {
  return new SkeinError('not-found', `Cannot send the snapshot at entry ${index}: a newer one has taken its place`)
}
