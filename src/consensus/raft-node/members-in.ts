import { isVoter, membersOf, type NodeId } from '../../raft/index.ts'
import type { LogMember } from '../log-status.ts'
import type { RaftDriver } from './raft-driver.ts'

/** Who takes part, as a member knows it. */
export function membersIn(driver: RaftDriver): readonly LogMember[] {
  return membersOf(driver.configuration).map((id) => memberOf(driver, id))
}

export function memberOf(driver: RaftDriver, id: NodeId): LogMember {
  const kind = isVoter(driver.configuration, id) ? 'voter' : 'learner'
  return { id: String(id), address: driver.members.addressOf(id), kind }
}
