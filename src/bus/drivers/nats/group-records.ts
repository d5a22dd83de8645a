import type { StoredProgress } from '../../kit/index.ts'

export const MEMBERS = 'members'

export function partitionRecord(partition: number): string {
  return `p${partition}`
}

/** Who reads for a group, and who is to have which partition. */
export interface MembersRecord {
  readonly name: string
  /** Rises with every change. */
  readonly generation: number
  readonly members: readonly MemberEntry[]
  /** By partition. */
  readonly targets: ReadonlyArray<string | null>
}

export interface MemberEntry {
  readonly id: string
  /** Which subjects it reads: all members must read the same. */
  readonly filter: string
}

/** Where a group stands in one partition. */
export interface PartitionRecord {
  /** Who has it now: nobody else writes this record while that one lives. */
  readonly owner: string | null
  readonly generation: number
  /** Tells a writer's own record from another's when the answer to a write was lost. */
  readonly revision: number
  readonly progress: StoredProgress
}
