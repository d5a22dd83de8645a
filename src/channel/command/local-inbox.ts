import { type Clock, type Disk, UnsupportedError } from '../../core/index.ts'
import type { NodeTime } from '../ports.ts'
import type { InboxStore } from './inbox-store.ts'

export interface LocalInboxOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly nodeTime: NodeTime
  /** Taken for this process alone. */
  readonly directory: string
  /** Commands remembered at once. Default 100,000. */
  readonly rowsMax?: number
  /** How long a row outlives its deadline and the clock error. Default 60,000. */
  readonly graceMs?: number
}

/** The inbox of an agent that has a disk. */
export async function openLocalInbox(_options: LocalInboxOptions): Promise<InboxStore> {
  throw new UnsupportedError('the local inbox', 'it is not built yet')
}
