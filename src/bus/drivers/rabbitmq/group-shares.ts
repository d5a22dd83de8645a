import { type Clock, type Random, SkeinError } from '../../../core/index.ts'
import type { Assignment, GroupReaderOptions } from '../../index.ts'
import {
  assignPartitions,
  type HeldMessage,
  type ResolvedRetryPolicy,
  type StoredProgress,
  SubjectFilter,
} from '../../kit/index.ts'
import { GroupMembers } from './group-members.ts'
import { GroupPartition } from './group-partition.ts'
import type { Link } from './link.ts'
import type { Hold, ShareSource } from './share-source.ts'
import type { OpenTopic } from './topics.ts'

const REVOCATION_WAIT_MS = 5_000
/** Partitions that come within so long of each other are told of together. */
const GATHER_MS = 100
const FINAL_SAVE_MS = 5_000

export interface GroupSharesParts {
  readonly topic: OpenTopic
  readonly options: GroupReaderOptions
  readonly policy: ResolvedRetryPolicy
  readonly clock: Clock
  readonly random: Random
  readonly source: ShareSource
  /** Over which the readers hear of each other. */
  readonly link: Link
  readonly membersName: string
  readonly bury: (partition: GroupPartition, message: HeldMessage, error: string) => void
  /** `owned` is another now. */
  readonly onChange: () => void
  /** Something came for one of them. */
  readonly onData: () => void
  readonly onFailed: (error: SkeinError) => void
  readonly tell: (change: Assignment) => Promise<void>
}

interface Share {
  readonly hold: Hold
  /** Undefined while it is waited for, or begun. */
  partition: GroupPartition | undefined
  /** Told of and given from. */
  isActive: boolean
  isLeaving: boolean
}

/** Which partitions one reader of a group has: asks for its share, gives up what others are to have, and keeps the places. */
export class GroupShares {
  readonly #parts: GroupSharesParts
  readonly #id: string
  readonly #filter: SubjectFilter | undefined
  readonly #shares = new Map<number, Share>()
  readonly #left = Promise.withResolvers<void>()
  #members: GroupMembers | undefined
  #generation = 0
  #isGathering = false
  #isClosed = false

  constructor(parts: GroupSharesParts) {
    this.#parts = parts
    const { options, random } = parts
    this.#filter = options.subjects && new SubjectFilter(options.subjects)
    this.#id = Buffer.from(random.bytes(12)).toString('base64url')
    void this.#join()
  }

  /** What is given from now. */
  get owned(): readonly GroupPartition[] {
    return [...this.#shares.values()].filter(({ isActive }) => isActive).map(({ partition }) => partition!)
  }

  /** Resolves after `leave()`. */
  get left(): Promise<void> {
    return this.#left.promise
  }

  async #join(): Promise<void> {
    const { clock, random, membersName, source, onFailed, link } = this.#parts
    try {
      await source.enrol()
    } catch (error) {
      return onFailed(error as SkeinError)
    }
    if (this.#isClosed) return
    this.#members = new GroupMembers({
      link,
      exchange: membersName,
      id: this.#id,
      joinedAtMs: clock.nowMs(),
      filter: this.#filterText,
      clock,
      random,
      owned: () => this.#ownedPartitions(),
      onChange: () => this.#balance(),
      onFailed,
    })
    this.#balance()
  }

  get #filterText(): string {
    return this.#filter === undefined ? 'all' : JSON.stringify([...this.#filter.filters].sort())
  }

  #ownedPartitions(): number[] {
    return [...this.#shares].filter(([, { partition }]) => partition !== undefined).map(([partition]) => partition)
  }

  #balance(): void {
    if (this.#isClosed || this.#members === undefined) return
    const members = this.#members.views
    if (!this.#checkFilter(members)) return
    const owners: Array<string | undefined> = Array.from({ length: this.#parts.topic.settings.partitions })
    for (const { id, owned } of members) for (const partition of owned) owners[partition] = id
    const target = assignPartitions(
      members.map(({ id }) => id),
      owners,
    )
    const losing: number[] = []
    for (const [partition, owner] of target.entries()) {
      const share = this.#shares.get(partition)
      if (owner === this.#id) {
        if (share === undefined) this.#ask(partition)
      } else if (share?.partition !== undefined) losing.push(partition)
      else if (share !== undefined) this.#forget(partition, share)
    }
    if (losing.length > 0) void this.#revoke(losing)
  }

  /** Two filters in one group would let each reader skip what the other was to have: the later one gives way. */
  #checkFilter(members: GroupMembers['views']): boolean {
    const [first] = members
    if (first === undefined || first.id === this.#id || first.filter === this.#filterText) return true
    const { options, topic } = this.#parts
    this.#parts.onFailed(
      new SkeinError(
        'bad-argument',
        `Cannot read "${topic.settings.name}" as group "${options.group}" with subjects ${this.#filterText}: its other ` +
          `readers have ${first.filter}; use the same, or another group`,
        { details: { group: options.group } },
      ),
    )
    return false
  }

  #ask(partition: number): void {
    const { source, onFailed, onData } = this.#parts
    const share: Share = {
      hold: source.hold(partition, () => share.partition!.save(), {
        onHeld: (stored) => void this.#begin(partition, share, stored),
        onLost: () => this.#lose(partition, share),
        onDead: () => void this.#renew(partition, share),
        onFailed,
        onData,
      }),
      partition: undefined,
      isActive: false,
      isLeaving: false,
    }
    this.#shares.set(partition, share)
  }

  async #renew(partition: number, share: Share): Promise<void> {
    try {
      await this.#parts.source.renew(partition)
    } catch (error) {
      if (!(error as SkeinError).retryable) this.#parts.onFailed(error as SkeinError)
    }
    this.#forget(partition, share)
    this.#balance()
  }

  #forget(partition: number, share: Share): void {
    if (this.#shares.get(partition) === share) this.#shares.delete(partition)
    void share.hold.release()
  }

  /** The place is ours: go on where the group stands, or begin where it is to begin. */
  async #begin(index: number, share: Share, stored: StoredProgress | undefined): Promise<void> {
    try {
      const begun = await this.#parts.source.begin(index, stored)
      if (!share.hold.isHeld || this.#shares.get(index) !== share) return
      const partition = this.#partition(index, share, begun)
      share.partition = partition
      // Where a new group begins must mean the same after a restart.
      if (stored === undefined) await share.hold.flush()
      if (share.partition !== partition || share.isLeaving) return
      this.#members?.announce()
      this.#gather()
    } catch (error) {
      if (!(error as SkeinError).retryable) return this.#parts.onFailed(error as SkeinError)
      this.#forget(index, share)
      this.#balance()
    }
  }

  #partition(
    index: number,
    share: Share,
    at: { readonly progress: StoredProgress; readonly knownEnd: number },
  ): GroupPartition {
    const { topic, options, policy, clock, source, bury, onData } = this.#parts
    const partition: GroupPartition = new GroupPartition(
      {
        topic: topic.settings.name,
        group: options.group,
        feed: source.feed(index, at.progress, onData),
        filter: this.#filter,
        policy,
        clock,
        knownEnd: at.knownEnd,
        flush: () => share.hold.flush(),
        touch: () => share.hold.touch(),
        bury: (message, error) => bury(partition, message, error),
      },
      at.progress,
    )
    return partition
  }

  /** Tells of what came together: at once when nothing more is on its way, else after a moment. */
  #gather(): void {
    if ([...this.#shares.values()].every(({ partition }) => partition !== undefined)) this.#activate()
    else if (!this.#isGathering) {
      this.#isGathering = true
      this.#parts.clock.setTimer(() => this.#activate(), GATHER_MS)
    }
  }

  #activate(): void {
    this.#isGathering = false
    const gained = [...this.#shares].filter(
      ([, share]) => share.partition !== undefined && !share.isActive && !share.isLeaving,
    )
    if (gained.length === 0 || this.#isClosed) return
    this.#generation += 1
    for (const [, share] of gained) {
      share.partition!.generation = this.#generation
      share.isActive = true
    }
    this.#parts.onChange()
    this.#tell(
      gained.map(([partition]) => partition),
      [],
    )
  }

  /** News only: an application that fails on them is not asked to go on. */
  #tell(added: readonly number[], removed: readonly number[]): void {
    this.#parts.tell({ generation: this.#generation, added, removed }).catch(() => {})
  }

  /** The connection broke, or the queue went: whatever is in hand belongs to whoever gets it next. */
  #lose(index: number, share: Share): void {
    const { partition, isActive } = share
    share.partition = undefined
    share.isActive = false
    if (partition === undefined) return
    partition.isStopping = true
    partition.feed.close()
    this.#parts.onChange()
    if (isActive) this.#tell([], [index])
    this.#members?.announce()
  }

  /** Waits, within the bound, for the application and for what it has in hand. */
  async #revoke(losing: readonly number[]): Promise<void> {
    const shares = losing
      .map((index) => [index, this.#shares.get(index)!] as const)
      .filter(([, share]) => !share.isLeaving)
    if (shares.length === 0) return
    for (const [, share] of shares) {
      share.isLeaving = true
      share.partition!.isStopping = true
    }
    const { clock, options, tell } = this.#parts
    const removed = shares.filter(([, { isActive }]) => isActive).map(([index]) => index)
    const told = removed.length > 0 ? tell({ generation: this.#generation, added: [], removed }) : undefined
    const idle = shares.map(([, share]) => share.partition?.whenIdle())
    const stop = new AbortController()
    const bound = clock.sleep(options.revocationWaitMs ?? REVOCATION_WAIT_MS, { signal: stop.signal }).catch(() => {})
    await Promise.race([Promise.allSettled([told, ...idle]), bound])
    stop.abort()
    await Promise.all(shares.map(([index, share]) => this.#giveUp(index, share, 'abandoned')))
    this.#members?.announce()
  }

  async #giveUp(index: number, share: Share, how: 'abandoned' | 'released'): Promise<void> {
    const { partition, hold } = share
    share.isActive = false
    this.#parts.onChange()
    if (partition !== undefined) {
      partition.isStopping = true
      partition.feed.close()
      partition.finalSave = how
      await this.#within(
        FINAL_SAVE_MS,
        hold.flush().catch(() => {}),
      )
    }
    share.partition = undefined
    await hold.release()
    if (this.#shares.get(index) === share) this.#shares.delete(index)
  }

  async #within(ms: number, work: Promise<void>): Promise<void> {
    const stop = new AbortController()
    const bound = this.#parts.clock.sleep(ms, { signal: stop.signal }).catch(() => {})
    await Promise.race([work, bound])
    stop.abort()
  }

  /** Resolves when the place of this partition is stored as it is now. */
  async flush(partition: GroupPartition): Promise<void> {
    const share = this.#shares.get(partition.partition)
    if (share?.partition !== partition) throw revoked(this.#parts, partition.partition)
    await share.hold.flush()
  }

  async leave(how: 'abandoned' | 'released'): Promise<void> {
    this.#isClosed = true
    const shares = [...this.#shares]
    await Promise.all(shares.map(([index, share]) => this.#giveUp(index, share, how)))
    await this.#members?.leave()
    this.#left.resolve()
  }
}

function revoked({ topic, options }: GroupSharesParts, partition: number): SkeinError {
  const { name } = topic.settings
  return new SkeinError(
    'revoked',
    `Cannot settle messages of partition ${partition} of "${name}": group "${options.group}" gave it to another reader; ` +
      'they will be delivered again',
    { retryable: true, details: { topic: name, group: options.group, partition } },
  )
}
