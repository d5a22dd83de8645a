import type { RequestedDurability } from '../../bus/index.ts'
import type { SubjectPattern } from '../../core/index.ts'

/** How a command meets one that is running: wait for it, abort it, or run beside it. */
export type Overlap = 'queue' | 'replace' | 'parallel'

/** Encodes and decodes one type; refuses what does not fit with `schema-mismatch`. */
export interface CommandCodec<Type> {
  encode(value: Type): Uint8Array | string
  decode(payload: { readonly value: Uint8Array | null; text(): string }): Type
}

/** What the sender and the receiver need of a declared command: `command()` gives it. */
export interface CommandDefinition<Value, Reply> {
  /** Has the field `agentId`. */
  readonly pattern: SubjectPattern
  readonly topic: string
  /** Tells the commands of one topic apart. */
  readonly type: string
  readonly codec: CommandCodec<Value>
  readonly reply: CommandCodec<Reply> | undefined
  readonly startWithinMs: number
  readonly completeWithinMs: number | undefined
  readonly overlap: Overlap
  readonly idempotent: boolean
  readonly durability: RequestedDurability
}
