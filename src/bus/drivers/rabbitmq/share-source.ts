import type { ConsumeMessage } from 'amqplib'
import type { Lag, Position } from '../../index.ts'
import type { StoredProgress } from '../../kit/index.ts'
import type { FeedStart } from './feed-start.ts'
import type { PlaceEvents } from './place.ts'

/** What decides that this process alone reads a partition for a group, and keeps what is done. */
export interface Hold {
  readonly isHeld: boolean
  /** Resolves when what is done as of now is kept. Rejects with `revoked` when this process does not hold it any more. */
  flush(): Promise<void>
  /** The same soon, together with what else happens until then. */
  touch(): void
  /** Lets the next have it. Idempotent. */
  release(): Promise<void>
}

export interface HoldEvents extends PlaceEvents<StoredProgress> {
  /** Something came for it. */
  readonly onData: () => void
}

/** Where the messages of one partition come from, in order. */
export interface GroupFeed {
  readonly partition: number
  /** `peek()` has something to give or to tell. */
  readonly hasMore: boolean
  readonly hasMessage: boolean
  /** The first message that is buffered. Throws what went wrong. */
  peek(): ConsumeMessage | undefined
  shift(): void
  /** After taking: more may come. */
  credit(): void
  moveTo(offset: number): void
  close(): void
  offsetOf(message: ConsumeMessage): number
  /** Somebody sent it twice, and it was given already. */
  isRepeat(message: ConsumeMessage): boolean
  /** Deliveries in vain that the broker knows of. */
  triesOf(message: ConsumeMessage): number
}

/** How a group comes by its partitions, by the way its topic is kept. */
export interface ShareSource {
  /** Notes on the broker that the group is there. */
  enrol(): Promise<void>
  /** `save` gives what is to be kept, at the moment it is. */
  hold(partition: number, save: () => StoredProgress, events: HoldEvents): Hold
  /** Nobody can ever hold it as it is now: resolves when it can be tried anew. */
  renew(partition: number): Promise<void>
  /** Where a holder goes on. `knownEnd`: what lies below may have been given before. */
  begin(
    partition: number,
    stored: StoredProgress | undefined,
  ): Promise<{ readonly progress: StoredProgress; readonly knownEnd: number }>
  feed(partition: number, progress: StoredProgress, onChange: () => void): GroupFeed
  /** The offset that a start means now; undefined when it means nothing in this partition. */
  offsetOf(start: FeedStart | undefined, partition: number): Promise<number | undefined>
  ends(): Promise<readonly Position[]>
  lag(partition: number, committed: number): Promise<Lag>
}
