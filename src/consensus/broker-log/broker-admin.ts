import { UnsupportedError } from '../../core/index.ts'
import type { LogAdmin } from '../log-admin.ts'

/** Who takes part is the broker's affair. */
export const brokerAdmin: LogAdmin = {
  members: () => [],
  addLearner: refuse,
  promote: refuse,
  remove: refuse,
  transfer: refuse,
}

async function refuse(): Promise<never> {
  throw new UnsupportedError(
    'changes of members',
    'the broker keeps the copies of this log; whoever is to lead takes over',
  )
}
