import { type Clock, ClosedError } from '../../core/index.ts'
import { NOBODY } from '../../raft/index.ts'
import type { LogAdmin } from '../log-admin.ts'
import type { LogMember } from '../log-status.ts'
import {
  type DriverSink,
  memberOf,
  membersIn,
  PendingProposals,
  RaftAdmin,
  type RaftDriver,
  successorOf,
} from '../raft-node/index.ts'
import type { Wake } from '../wake.ts'

export interface ElectionParts {
  readonly clock: Clock
  readonly heartbeatMs: number
  readonly electionTimeoutMs: number
  readonly news: Wake
  /** This member was elected, or leads no more. */
  readonly onRole: () => void
  readonly onFailed: (error: Error) => void
}

/** A member of a Raft group whose log holds nothing but who belongs to it: it says who leads, and in which term. */
export class Election {
  readonly sink: DriverSink
  readonly admin: LogAdmin
  readonly #changes = new PendingProposals()
  #driver: RaftDriver | undefined
  /** As it was when this member heard that it leads: the group may be further already. */
  #term: number | undefined
  #isClosed = false

  constructor(parts: ElectionParts) {
    const { clock, news, heartbeatMs, electionTimeoutMs } = parts
    const nothing = () => {}
    this.sink = {
      onCommitted: (entries) => {
        if (!this.#changes.isEmpty) this.#changes.committed(entries)
      },
      onRole: ({ role }) => {
        this.#term = role === 'leader' ? this.#driver?.status.term : undefined
        if (role !== 'leader') this.#changes.abandon('this member no longer leads')
        parts.onRole()
        news.wake()
      },
      onMembers: () => news.wake(),
      onFailed: (error) => {
        this.#term = undefined
        this.#changes.abandon('this member has stopped', error)
        parts.onFailed(error)
      },
      ...{ onInstalled: nothing, onStored: nothing, onReadable: nothing, onReadsAborted: nothing },
    }
    this.admin = new RaftAdmin({
      driver: () => this.#usable(),
      clock,
      pending: this.#changes,
      members: () => this.members,
      news,
      everyMs: heartbeatMs,
      giveUpMs: 10 * electionTimeoutMs,
    })
  }

  /** Called once, before anything else. */
  stand(driver: RaftDriver): void {
    this.#driver = driver
  }

  #usable(): RaftDriver {
    if (this.#driver === undefined || this.#isClosed) throw new ClosedError('this replicated log')
    if (this.#driver.failure !== undefined) throw this.#driver.failure
    return this.#driver
  }

  /** In which this member leads; undefined while it does not. */
  get term(): number | undefined {
    return this.#term
  }

  get leader(): LogMember | undefined {
    if (this.#driver === undefined) return undefined
    const { leader } = this.#driver.status
    return leader === NOBODY ? undefined : memberOf(this.#driver, leader)
  }

  get members(): readonly LogMember[] {
    return this.#driver === undefined ? [] : membersIn(this.#driver)
  }

  get address(): string {
    return this.#driver?.address ?? ''
  }

  /** Leads no more, if there is somebody else who can: whether there is. */
  handOver(): boolean {
    if (this.#term === undefined || this.#driver === undefined) return false
    const successor = successorOf(this.#driver.status)
    if (successor === NOBODY) return false
    this.#driver.transfer(successor)
    return true
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#term = undefined
    this.#changes.abandon('the log was closed')
    await this.#driver?.close()
  }
}
