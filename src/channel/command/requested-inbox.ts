import type { Bus } from '../../bus/index.ts'
import { type Clock, type Random, UnsupportedError } from '../../core/index.ts'
import type { InboxStore } from './inbox-store.ts'

export interface RequestedInboxOptions {
  readonly bus: Bus
  readonly clock: Clock
  readonly random: Random
  /** For one call to the node; lost ones are asked again until the caller's signal. Default 2,000. */
  readonly timeoutMs?: number
}

/** The inbox of an agent without a disk: its node holds it, and each claim is a call. */
export function requestedInbox(_options: RequestedInboxOptions): InboxStore {
  throw new UnsupportedError('the node-held inbox', 'it is not built yet')
}
