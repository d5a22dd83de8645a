import type { Clock } from '../../../core/index.ts'
import { SkeinError } from '../../../core/index.ts'
import type { Assignment, StartPosition } from '../../index.ts'
import { assignPartitions, type ResolvedRetryPolicy, type SubjectFilter } from '../../kit/index.ts'
import type { Feed } from './feed.ts'
import { GroupPartition } from './group-partition.ts'
import { type GroupState, keyOf } from './group-state.ts'
import { startOffset } from './start-position.ts'
import type { LogTopic } from './topic.ts'

/** A reader as its group sees it. */
export interface Member {
  readonly filter: SubjectFilter | undefined
  readonly from: StartPosition
  readonly policy: ResolvedRetryPolicy
  readonly revocationWaitMs: number
  addFeed(feed: Feed): void
  removeFeed(partition: number): void
  /** Tells the application; a revocation waits for it. */
  tell(change: Assignment): Promise<void>
  /** The group cannot go on. */
  fail(error: Error): void
}

export type MemberPartition = GroupPartition<Member>

/** The readers of one group and topic in this process: shares the partitions out and fences who lost one. */
export class Group {
  readonly name: string
  readonly topic: LogTopic
  readonly #state: GroupState
  readonly #clock: Clock
  readonly #members: Member[] = []
  readonly #partitions = new Map<number, MemberPartition>()
  #generation = 0
  #isBalancing = false
  #isUnbalanced = false

  constructor(topic: LogTopic, name: string, parts: { readonly state: GroupState; readonly clock: Clock }) {
    this.topic = topic
    this.name = name
    this.#state = parts.state
    this.#clock = parts.clock
  }

  get hasMembers(): boolean {
    return this.#members.length > 0
  }

  join(member: Member): void {
    this.#checkFilter(member)
    this.#members.push(member)
    this.#balance()
  }

  /** Two filters in one group would let each reader skip what the other was to have. */
  #checkFilter(member: Member): void {
    const other = this.#members[0]
    if (other === undefined || filterText(other) === filterText(member)) return
    throw new SkeinError(
      'bad-argument',
      `Cannot read "${this.topic.settings.name}" as group "${this.name}" with subjects ${filterText(member)}: ` +
        `its other readers have ${filterText(other)}; use the same, or another group`,
      { details: { group: this.name } },
    )
  }

  /** Its partitions go to the others at once; what it had in hand counts as `how` says. */
  leave(member: Member, how: 'abandoned' | 'released'): void {
    const index = this.#members.indexOf(member)
    if (index === -1) return
    this.#members.splice(index, 1)
    for (const partition of this.#partitions.values()) if (partition.owner === member) this.#take(partition, how)
    this.#balance()
  }

  owned(member: Member): MemberPartition[] {
    return [...this.#partitions.values()].filter((partition) => partition.owner === member)
  }

  /** The partition, if the member has it under that generation. Throws `revoked`. */
  requireOwned(member: Member, partition: number, generation: number | undefined): MemberPartition {
    const owned = this.#partitions.get(partition)
    if (owned?.owner === member && (generation === undefined || generation === owned.generation)) return owned
    throw new SkeinError(
      'revoked',
      `Cannot settle messages of partition ${partition} of "${this.topic.settings.name}": group "${this.name}" gave it to ` +
        'another reader, or gave it anew; they will be delivered again',
      { details: { topic: this.topic.settings.name, group: this.name, partition } },
    )
  }

  /** To be stored soon. */
  touch(partition: MemberPartition): void {
    this.#state.touch(keyOf(this.topic.settings.name, this.name, partition.partition.index), () =>
      partition.progress.save('abandoned'),
    )
  }

  flush(): Promise<void> {
    return this.#state.flush()
  }

  /** Where the group stands in each partition. */
  committed(): number[] {
    const topic = this.topic.settings.name
    return this.topic.partitions.map((partition) => {
      const live = this.#partitions.get(partition.index)
      return live?.committed ?? storedCommitted(this.#state, { topic, group: this.name, partition: partition.index })
    })
  }

  /** One change at a time; what comes meanwhile is seen by another round. */
  #balance(): void {
    this.#isUnbalanced = true
    if (this.#isBalancing) return
    this.#isBalancing = true
    void this.#balanceAll()
  }

  async #balanceAll(): Promise<void> {
    while (this.#isUnbalanced) {
      this.#isUnbalanced = false
      try {
        if (this.#members.length > 0) await this.#balanceOnce()
      } catch (error) {
        for (const member of this.#members) member.fail(error as Error)
      }
    }
    this.#isBalancing = false
  }

  async #balanceOnce(): Promise<void> {
    await this.#load()
    const partitions = [...this.#partitions.values()]
    const target = assignPartitions(
      this.#members,
      partitions.map(({ owner }) => owner),
    )
    const losing = Map.groupBy(
      partitions.filter((partition, index) => partition.owner !== undefined && partition.owner !== target[index]),
      (partition) => partition.owner!,
    )
    await Promise.all([...losing].map(([member, lost]) => this.#revoke(member, lost)))
    if (this.#isUnbalanced) return
    const gaining = Map.groupBy(
      partitions.filter((partition, index) => partition.owner === undefined && target[index] !== undefined),
      (partition) => target[partitions.indexOf(partition)]!,
    )
    if (gaining.size > 0) this.#generation += 1
    for (const [member, gained] of gaining) this.#assign(member, gained)
  }

  /** Reads, for partitions that no member had yet, where the group stands; begins there where it is new. */
  async #load(): Promise<void> {
    if (this.#partitions.size > 0) return
    const topic = this.topic.settings.name
    const { from } = this.#members[0]!
    const loaded = await Promise.all(
      this.topic.partitions.map(async (partition) => {
        const stored = this.#state.get(topic, this.name, partition.index)
        if (stored !== undefined) return { partition, stored, isNew: false }
        const start = (await startOffset(partition, from)) ?? partition.log.startOffset
        return { partition, stored: { settled: start, delivered: start, held: [], attempts: [] }, isNew: true }
      }),
    )
    for (const { partition, stored, isNew } of loaded) {
      const groupPartition: MemberPartition = new GroupPartition(partition, stored)
      this.#partitions.set(partition.index, groupPartition)
      // "The latest" must still mean the same after a restart; the earliest means it by itself.
      if (isNew && from !== 'earliest') this.touch(groupPartition)
    }
    if (from !== 'earliest') await this.#state.flush()
  }

  /** Waits, within the member's bound, for the application and for what it has in hand. */
  async #revoke(member: Member, lost: readonly MemberPartition[]): Promise<void> {
    for (const partition of lost) partition.isStopping = true
    const removed = lost.map(({ partition }) => partition.index)
    const told = member.tell({ generation: this.#generation, added: [], removed })
    const finished = Promise.allSettled([told, ...lost.map((partition) => partition.whenIdle())])
    const stopWaiting = new AbortController()
    const bound = this.#clock.sleep(member.revocationWaitMs, { signal: stopWaiting.signal }).catch(() => {})
    await Promise.race([finished, bound])
    stopWaiting.abort()
    for (const partition of lost) if (partition.owner === member) this.#take(partition, 'abandoned')
  }

  #take(partition: MemberPartition, how: 'abandoned' | 'released'): void {
    partition.owner?.removeFeed(partition.partition.index)
    partition.unassign(how)
    this.touch(partition)
  }

  #assign(member: Member, gained: readonly MemberPartition[]): void {
    const generation = this.#generation
    for (const partition of gained) {
      member.addFeed(
        partition.assign(member, { generation, policy: member.policy, filter: member.filter, group: this.name }),
      )
    }
    const added = gained.map(({ partition }) => partition.index)
    // News only: an application that fails on them is not asked to go on.
    member.tell({ generation, added, removed: [] }).catch(() => {})
  }
}

function filterText(member: Member): string {
  return member.filter === undefined ? 'all' : JSON.stringify([...member.filter.filters].sort())
}

/** Of a group that nobody reads now. */
function storedCommitted(
  state: GroupState,
  of: { readonly topic: string; readonly group: string; readonly partition: number },
): number {
  const stored = state.get(of.topic, of.group, of.partition)
  if (stored === undefined) return 0
  return stored.held.reduce((least, [offset]) => Math.min(least, offset), stored.settled)
}
