import { GroupGate, type ResolvedRetryPolicy, type StoredProgress } from '../../../kit/index.ts'
import type { Feed, Gate } from '../read/feed.ts'
import type { GroupPlace } from './group-places.ts'

/** One partition that a group's reader has: how far it is, under one assignment. */
export class GroupPartition extends GroupGate implements Gate {
  readonly partition: number
  readonly generation: number
  feed: Feed | undefined
  /** A transaction is about to commit its place, or not: until then nobody else may. */
  isInTransaction = false
  /** Before this offset messages may have been given in an earlier life: counts are stored before they are given again. */
  readonly openedAtOffset: number

  constructor(place: GroupPlace, parts: { readonly generation: number; readonly policy: ResolvedRetryPolicy }) {
    super(place.stored, parts.policy)
    this.partition = place.partition
    this.openedAtOffset = place.openedAtOffset
    this.generation = parts.generation
  }

  override restart(stored: StoredProgress): void {
    super.restart(stored)
    this.feed?.moveTo(this.progress.position)
  }

  /** What is in hand was given in vain, or is released untried. */
  save(how: 'abandoned' | 'released'): StoredProgress {
    return this.progress.save(how)
  }

  /** Nothing is in hand or held, and what lies up to the end is not for this group. */
  get isCaughtUp(): boolean {
    return this.feed?.isAtTail === true && !this.progress.hasWorkInHand && this.progress.held.size === 0
  }

  protected override get isHeldUp(): boolean {
    return super.isHeldUp || this.isInTransaction
  }

  /** What a transaction is about to commit counts as in hand. */
  protected override get isInUse(): boolean {
    return super.isInUse || this.isInTransaction
  }
}
