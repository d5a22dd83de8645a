/** Header names are lower-case; values are text. CloudEvents attributes and `traceparent` stand here under their own names, ours under `skein`. */
export type Headers = Readonly<Record<string, string>>

/** One message as the writer gives it. */
export interface Message {
  /** Concrete, below the topic (`swarm.telemetry.north.drone-7` in `swarm.telemetry`). */
  readonly subject: string
  /** Chooses the partition and the order. Without one, the subject does. */
  readonly key?: string | undefined
  /** Text travels as UTF-8. Null is a tombstone: on a compacted topic it deletes its key. */
  readonly value: Uint8Array | string | null
  /** Share constant headers between messages: the same object is encoded once. */
  readonly headers?: Headers | undefined
  /** Unique per message where the topic deduplicates: a repeat within the window is not stored again. */
  readonly id?: string | undefined
  /** Event time, ms since 1970-01-01 UTC. Default: the writer's clock. */
  readonly timestampMs?: number | undefined
  /** After this long from the append no reader is given it any more. */
  readonly ttlMs?: number | undefined
}

/** Where a record is. Opaque to callers, but within one partition later records have greater sequences. */
export interface Position {
  readonly partition: number
  readonly sequence: number
}

/** One message as a reader gets it. Getters decode when asked; views are valid while the delivery is referenced. */
export interface Delivery {
  readonly topic: string
  readonly position: Position
  readonly subject: string
  readonly key: string | undefined
  /** Null is a tombstone. */
  readonly value: Uint8Array | null
  /** The value as UTF-8 text, without making the bytes first; empty for a tombstone. */
  text(): string
  readonly headers: Headers
  readonly id: string | undefined
  readonly timestampMs: number
  /** When the broker appended it, by the broker's clock. */
  readonly appendedAtMs: number
  /** 1 for the first delivery to this group, counting every failed or abandoned one; always 1 for a broadcast reader. */
  readonly attempt: number
}

/** What a read gives: messages of one partition, in order. */
export interface Batch {
  readonly topic: string
  readonly partition: number
  /** Of the assignment it was read under: acknowledging after a later one rejects with `revoked`. */
  readonly generation: number
  readonly deliveries: readonly Delivery[]
  /** What to acknowledge when all of it is done. */
  readonly last: Position
}
