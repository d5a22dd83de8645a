import type { Capabilities, Durability, RequestedDurability } from './capabilities.ts'
import type { Batch, Delivery, Headers, Message, Position } from './message.ts'

/** The port to one broker. `testing/bus.suite.ts` is the contract that every driver passes. */
export interface Bus {
  readonly name: string
  /**
   * Creates the topic, or verifies that the existing one grants what is asked; the same spec again is fine. Throws
   * `UnsupportedError` naming the feature and the reason, `bad-argument` naming a setting that differs.
   */
  open(topic: TopicSpec): Promise<Capabilities>
  /** The topic must be open. */
  writer(topic: string, options?: WriterOptions): Writer
  reader(topic: string, options: ReaderOptions): Reader
  readonly requests: Requests
  /**
   * Begins a transaction: what is written and acknowledged in it takes effect together, or not at all. One at a time under
   * one id. Only where `capabilities.transactions` is not `none`; rejects with `fenced` when somebody else has begun under
   * the id since.
   */
  transaction?(options: TransactionOptions): Promise<Transaction>
  readonly admin: Admin
  /** Finishes what was accepted, then closes. Idempotent. */
  drain(): Promise<void>
  /** Promptly: what waits is rejected with `closed`. Idempotent. */
  close(): Promise<void>
}

export type Intent = 'telemetry' | 'event' | 'command' | 'notice' | 'query'

export interface TopicSpec {
  readonly name: string
  readonly intent: Intent
  /** Default 1. */
  readonly partitions?: number
  /** Default: `written` for telemetry, `safe` for events and commands, `none` for notices and queries. */
  readonly durability?: RequestedDurability
  /**
   * `log`: kept, and can be read again. `work`: kept until each group that is there has done it; a bus that has only logs
   * keeps it in one. `ephemeral`: fan-out to the readers that are there, never stored. Default: `log`, but `ephemeral` for
   * notices and queries.
   */
  readonly storage?: 'log' | 'work' | 'ephemeral'
  readonly retention?: { readonly ageMs?: number; readonly bytes?: number }
  /** Keep the last message per key. `tombstoneMs` default: 24 h. */
  readonly compaction?: { readonly tombstoneMs?: number }
  /** How long an id is remembered; 0 = no deduplication. Default: 120,000 for events, else 0. */
  readonly deduplicationWindowMs?: number
  /** Default for messages that name none. */
  readonly ttlMs?: number
  /** Default 1 MiB. */
  readonly messageBytesMax?: number
  /** On how many of a broker's servers each message lies. Default: as the broker decides. */
  readonly replicationFactor?: number
  /** How many of them must have a message before it is acknowledged as `replicated`. Default: as the broker decides. */
  readonly minInSyncReplicas?: number
  /** Replicas lie in at least so many racks or zones. Default: not asked for. */
  readonly racks?: number
  /** Of stored batches, on the wire too. Default `none`. */
  readonly compression?: Compression
  /** The topic may grow by generations, and may be divided by a level of its subjects. Default: neither. */
  readonly sharding?: Sharding
}

/** How a topic is divided beside its keys, and how its growth is noticed. */
export interface Sharding {
  /** Of subjects, behind the topic's name, from 1: each of `values` has partitions of its own. Default: by key alone. */
  readonly level?: number
  /** What may stand at that level: regions, or types of agents. */
  readonly values?: readonly string[]
  /**
   * Who writes or reads looks whether the topic grows at least so often; writing stands still for little more when it does.
   * Default 2,000.
   */
  readonly leaseMs?: number
}

export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

export interface WriterOptions {
  /** Level the receipts must have. Default: the topic's. */
  readonly durability?: RequestedDurability
  /** Bytes accepted and not yet settled before `full`. Default 8 MiB. */
  readonly pendingBytesMax?: number
  /** Identity for authorisation and audit at a node. */
  readonly principal?: string
}

export interface Receipt {
  /** One per partition written: the last position of this batch in it. */
  readonly positions: readonly Position[]
  readonly accepted: number
  /** Indexes in the batch of messages that were there already and were not stored again. Empty mostly: shared. */
  readonly duplicates: readonly number[]
  /** Indexes of messages replaced by a later one of their key before the append: they are not stored. */
  readonly conflated: readonly number[]
  readonly durability: Durability
  /** The level is the operator's word, not something the driver could read. */
  readonly asserted: boolean
}

export interface Writer {
  /**
   * ONE promise for the batch. Batches of one writer are stored in the order of their calls. Rejects with `WriteError`
   * saying which messages were accepted and which are unknown; after an unknown result those queued behind it are
   * rejected as not accepted.
   */
  write(batch: readonly Message[]): Promise<Receipt>
  /** More is waiting than `pendingBytesMax`: await `drained()`. A write while full is refused with `overloaded`. */
  readonly full: boolean
  drained(options?: { readonly signal?: AbortSignal }): Promise<void>
  drain(): Promise<void>
  close(): Promise<void>
}

export type StartPosition = Position | readonly Position[] | { readonly timestampMs: number } | 'earliest' | 'latest'

interface ReaderOptionsBase {
  /** Filters within the topic. Default: all of it. */
  readonly subjects?: readonly string[]
  /** Bytes fetched ahead and not yet read. Default 4 MiB. */
  readonly bufferBytesMax?: number
  readonly principal?: string
}

export interface GroupReaderOptions extends ReaderOptionsBase {
  readonly mode: 'group'
  readonly group: string
  /** Where a group without committed positions starts. Default `earliest`. */
  readonly from?: StartPosition
  readonly retry?: RetryPolicy
  /** How long a revocation waits for work in hand. Default 5,000. */
  readonly revocationWaitMs?: number
}

export interface BroadcastReaderOptions extends ReaderOptionsBase {
  readonly mode: 'broadcast'
  /** Default `latest`. */
  readonly from?: StartPosition
  /** What happens when this reader is slow on an ephemeral topic: `drop` loses the oldest, counted; `wait` slows the writers. Default `drop`. */
  readonly overflow?: 'wait' | 'drop'
}

export type ReaderOptions = GroupReaderOptions | BroadcastReaderOptions

export interface RetryPolicy {
  /** Deliveries of one message before it is dead. Default 5. */
  readonly attemptsMax?: number
  /** First delay, doubled each time with full jitter. Default 100. */
  readonly delayMs?: number
  /** Default 30,000. */
  readonly delayMsMax?: number
  /** Messages held back in memory behind failed ones before the partition waits. Default 1,000. */
  readonly parkedMax?: number
  /** `continue`: dead letters go to the dead-letter topic and the key goes on. `block`: the partition stops there. Default `continue`. */
  readonly onDead?: 'continue' | 'block'
}

export interface ReadLimits {
  readonly maxMessages?: number
  readonly maxBytes?: number
  /** Resolves to null when nothing came for so long. Default: waits for ever. */
  readonly waitMs?: number
  readonly signal?: AbortSignal
}

export interface Reader {
  /**
   * The next messages of one partition, or null after `waitMs`. Batches of one partition may be in hand at once; they
   * are given in order. Rejects with `signal.reason`, `closed`; and with `corrupt` or `position-gone` once for each gap
   * in what is stored: the next read goes on behind it.
   */
  read(limits?: ReadLimits): Promise<Batch | null>
  /** Cumulative: everything given of that partition up to here that was not settled otherwise. Rejects with `revoked` after a rebalance. */
  acknowledge(through: Position, generation?: number): Promise<void>
  /**
   * `retry`: failed, counts, comes again after its delay and holds back later messages of its key. `release`: not
   * tried, comes again and does not count. `dead`: to the dead letters now.
   */
  settle(deliveries: readonly Delivery[], how: 'retry' | 'release' | 'dead', options?: SettleOptions): Promise<void>
  /** A revocation waits for the callback, within `revocationWaitMs`. */
  onAssignment(listener: (change: Assignment) => Promise<void> | void): void
  seek(to: StartPosition): Promise<void>
  /** The end of each partition now, exclusive: where `--until end` stops. */
  end(): Promise<readonly Position[]>
  /**
   * Of a group reader: what its group has not acknowledged in the partitions it has. Of a broadcast reader: what its reads
   * have not given as of the call, on its way or fetched ahead included, so that no messages in a partition means that
   * everything that was there before the call was given, or never will be (other subjects, expired, compacted).
   */
  lag(): Promise<readonly Lag[]>
  /** Messages lost by `overflow: 'drop'` so far. */
  readonly dropped: number
  /** Stops giving; releases what is in hand. Idempotent. */
  drain(): Promise<void>
  close(): Promise<void>
}

export interface SettleOptions {
  readonly delayMs?: number
  /** Stored with the dead letter. */
  readonly error?: string
}

export interface Assignment {
  readonly generation: number
  readonly added: readonly number[]
  readonly removed: readonly number[]
}

export interface Lag {
  readonly topic: string
  readonly group: string | undefined
  readonly partition: number
  readonly messages: number
  /** The broker's now − append time of the oldest unacknowledged message; undefined where the broker cannot tell. */
  readonly seconds: number | undefined
}

export interface TransactionOptions {
  /**
   * A lasting name of the processor, the same after a restart. Whoever begins under it fences the one before, whose open
   * transaction is aborted.
   */
  readonly id: string
  /** The broker aborts a transaction that is open for longer. Default 60,000. */
  readonly timeoutMs?: number
}

/** Consume, process, produce. Readers see its messages after the commit, and none of an aborted one. */
export interface Transaction {
  /** Resolves when the broker has the messages. After a rejection only `abort()` is left. */
  write(topic: string, batch: readonly Message[]): Promise<void>
  /** As the group reader's own `acknowledge`, but it takes effect with the commit; until then its partition waits. */
  acknowledge(reader: Reader, through: Position, generation?: number): Promise<void>
  /**
   * Rejects with `fenced`, with `revoked` when the reader's partition went to another, and with `outcome-unknown` when the
   * broker's word was lost; then the readers go on behind it or are given the messages again, as it turned out.
   */
  commit(): Promise<void>
  /** What was acknowledged in it is given again, counted as tried. Idempotent. */
  abort(): Promise<void>
}

/** Request and reply, at most once, with a deadline. */
export interface Requests {
  /** Rejects with `no-responder` at once when nobody answers the subject, with `timeout` at the deadline. */
  ask(request: Request, options: { readonly timeoutMs: number; readonly signal?: AbortSignal }): Promise<Reply>
  /** Several answerers share the subject; each request goes to one. Stop with the returned function. */
  answer(subject: string, handler: (request: Request) => Promise<Reply>): Promise<() => Promise<void>>
}

export interface Request {
  readonly subject: string
  readonly value: Uint8Array | string
  readonly headers?: Headers | undefined
}

export interface Reply {
  readonly value: Uint8Array | string
  readonly headers?: Headers | undefined
}

export interface TopicDescription {
  readonly spec: TopicSpec
  readonly capabilities: Capabilities
  readonly partitions: ReadonlyArray<{
    readonly partition: number
    readonly start: Position
    readonly end: Position
    readonly bytes: number
  }>
  /**
   * Of a topic of dead letters, where the driver can tell: the letters of a group that stand before this place were
   * published again.
   */
  readonly replayed?: ReadonlyArray<{ readonly group: string; readonly before: Position }>
}

/** How the replicas of a topic stand now. */
export interface TopicHealth {
  readonly topic: string
  readonly partitions: ReadonlyArray<{
    readonly partition: number
    /** Undefined while nobody leads it: it can be neither written nor read. */
    readonly leader: string | undefined
    readonly replicas: ReadonlyArray<{
      readonly server: string
      readonly rack: string | undefined
      /** Has everything that was acknowledged. */
      readonly isInSync: boolean
    }>
  }>
  /** Partitions with a replica that is not in sync. */
  readonly underReplicated: number
  /** Partitions that nobody leads. */
  readonly leaderless: number
  /** Partitions that lie in one rack alone, though the servers name several. */
  readonly inOneRack: number
}

export interface Admin {
  listTopics(): Promise<readonly string[]>
  describeTopic(topic: string): Promise<TopicDescription>
  /** Where the broker keeps replicas. */
  health?(topic: string): Promise<TopicHealth>
  deleteTopic(topic: string): Promise<void>
  listGroups(topic: string): Promise<readonly string[]>
  deleteGroup(topic: string, group: string): Promise<void>
  /** Of all groups that read the topic, or of one. Rejects with `not-found` for one that never has. */
  lag(topic: string, group?: string): Promise<readonly Lag[]>
  /** The dead letters of a topic are a topic of their own; `deadLetterTopic(topic)` names it. */
  replayDeadLetters(topic: string, options?: { readonly group?: string; readonly max?: number }): Promise<number>
}
