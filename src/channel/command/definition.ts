import type { RequestedDurability } from '../../bus/index.ts'
import type { SubjectPattern } from '../../core/index.ts'
import type { Codec } from '../../schema/index.ts'

/** How a command meets one that is running: wait for it, abort it, or run beside it. */
export type Overlap = 'queue' | 'replace' | 'parallel'

/** What the sender and the receiver need of a declared command: `command()` gives it. */
export interface CommandDefinition<Value, Reply> {
  /** Has the field `agentId`. */
  readonly subject: SubjectPattern
  readonly topic: string
  /** Tells the commands of one topic apart. */
  readonly type: string
  readonly value: Codec<Value>
  readonly reply: Codec<Reply> | undefined
  readonly startWithinMs: number
  readonly completeWithinMs: number | undefined
  readonly overlap: Overlap
  readonly idempotent: boolean
  /** `none`: on an ephemeral topic, the fastest way. Undefined: `safe`. */
  readonly durability: RequestedDurability | undefined
}
