import {
  GroupGate,
  type ResolvedRetryPolicy,
  resolveRetryPolicy,
  type StoredProgress,
  type SubjectFilter,
} from '../../kit/index.ts'
import { Feed, type Gate } from './feed.ts'
import type { Partition } from './partition.ts'

/** One partition as a group sees it: how far it is, and who reads it now. */
export class GroupPartition<Owner> extends GroupGate implements Gate {
  readonly partition: Partition
  owner: Owner | undefined
  feed: Feed | undefined
  generation = 0
  /** What was given is being stored before anybody sees it: nothing is given meanwhile. */
  isStoring = false

  constructor(partition: Partition, stored: StoredProgress) {
    super(stored, resolveRetryPolicy())
    this.partition = partition
  }

  /** Begins an assignment. */
  assign(
    owner: Owner,
    options: {
      readonly generation: number
      readonly policy: ResolvedRetryPolicy
      readonly filter: SubjectFilter | undefined
      readonly group: string
    },
  ): Feed {
    this.owner = owner
    this.generation = options.generation
    this.policy = options.policy
    this.restart(this.progress.save('released'))
    this.isStopping = false
    this.feed = new Feed(this.partition, this, options)
    return this.feed
  }

  /** Ends an assignment: what is in hand was given in vain, or is released untried. */
  unassign(how: 'abandoned' | 'released'): void {
    this.#skipToEnd()
    this.owner = undefined
    this.feed = undefined
    this.restart(this.progress.save(how))
  }

  /** At the tail, everything up to the end is known not to concern the group. */
  #skipToEnd(): void {
    if (this.isCaughtUp) this.progress.position = this.partition.log.endOffset
  }

  get isCaughtUp(): boolean {
    return this.feed?.isAtTail === true && !this.progress.hasWorkInHand && this.progress.held.size === 0
  }

  /** What was settled up to here, and what is certainly not for this group, lies below it. */
  get committed(): number {
    return this.isCaughtUp ? this.partition.log.endOffset : this.progress.committed
  }

  moveTo(offset: number): void {
    this.restartAt(offset)
    this.feed?.moveTo(offset)
  }

  protected override get isHeldUp(): boolean {
    return super.isHeldUp || this.isStoring
  }

  /** What was given last reached nobody: it is fetched again. */
  takeBack(): void {
    this.progress.takeBack()
    this.unstall()
    this.feed?.moveTo(this.progress.position)
    this.settled()
  }

  /** Retention has taken what lies before there: whatever of it waited is done with, and nobody can have it. */
  finishBefore(startOffset: number): void {
    for (const message of [...this.progress.held.all()]) {
      if (message.offset < startOffset && message.state !== 'inHand') this.progress.finish(message.offset)
    }
    this.settled()
  }
}
