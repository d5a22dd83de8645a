import type { Capabilities } from '../../bus/index.ts'
import { UnsupportedError } from '../../core/index.ts'

/** A log stands on nothing less than a total order that can be read again from any place. */
export function checkLogCapabilities({ driver, totalOrder, replayByPosition, broadcast }: Capabilities): void {
  if (totalOrder && replayByPosition !== 'none' && broadcast !== 'none') return
  throw new UnsupportedError('a replicated log', `${driver} has no topic in total order that can be read again`)
}
