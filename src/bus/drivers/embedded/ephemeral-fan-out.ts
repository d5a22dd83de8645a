import type { Message, Receipt } from '../../index.ts'
import type { TopicSettings } from '../../kit/index.ts'

/** What the readers and writers of an ephemeral topic need of it. */
export interface EphemeralFanOut {
  readonly settings: TopicSettings
  readonly nextSequence: number
  /** Hands every message to whoever wants it. The readers that overflow and ask to be waited for come back. */
  publish(batch: readonly Message[]): { readonly receipt: Receipt; readonly slow: readonly SlowReader[] }
}

export interface SlowReader {
  /** Resolves when it has room again; rejects with `signal.reason`. */
  room(signal: AbortSignal): Promise<void>
}
