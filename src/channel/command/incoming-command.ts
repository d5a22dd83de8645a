import type { Timer } from '../../core/index.ts'
import type { Arrival } from './command-intake.ts'
import type { CommandRecord } from './command-record.ts'
import type { CommandDefinition, Overlap } from './definition.ts'
import type { CommandHandler } from './handler.ts'
import type { HandlerRun } from './handler-run.ts'

/** A command and what handles it. */
export interface Registered {
  readonly definition: CommandDefinition<unknown, unknown>
  readonly handler: CommandHandler<unknown, unknown>
}

/** A command in hand, from its arrival until its outcome is stored. */
export interface IncomingCommand {
  readonly record: CommandRecord
  readonly sentEpoch: number
  readonly held: boolean
  readonly bodyHash: string
  readonly overlap: Overlap
  readonly registered: Registered
  /** Decoded when it is admitted. */
  value: unknown
  /** Acknowledged when its outcome is stored. */
  arrival: Arrival
  /** Of this and its repeats: each is told. */
  readonly senders: Set<string>
  /** Rings when its deadline passes while it waits. */
  timer: Timer | undefined
  run: HandlerRun | undefined
  /** Its outcome is decided: nothing else may decide it. */
  finished: boolean
}
