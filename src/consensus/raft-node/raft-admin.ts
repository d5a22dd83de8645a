import { type Clock, SkeinError } from '../../core/index.ts'
import { type ConfigChange, isVoter, type MemberChange, type NodeId, NotLeaderError } from '../../raft/index.ts'
import type { LogAdmin } from '../log-admin.ts'
import type { LogMember } from '../log-status.ts'
import type { WaitOptions } from '../wait-options.ts'
import type { Wake } from '../wake.ts'
import { encodeAddresses } from './group-members.ts'
import { parseAddress } from './peer-link.ts'
import type { PendingProposals } from './pending-proposals.ts'
import type { RaftDriver } from './raft-driver.ts'

export interface RaftAdminParts {
  /** Throws when the log is closed or has failed. */
  readonly driver: () => RaftDriver
  readonly clock: Clock
  readonly pending: PendingProposals
  readonly members: () => readonly LogMember[]
  readonly news: Wake
  readonly everyMs: number
  readonly giveUpMs: number
}

/** Members of a Raft group, changed one at a time. */
export class RaftAdmin implements LogAdmin {
  readonly #parts: RaftAdminParts

  constructor(parts: RaftAdminParts) {
    this.#parts = parts
  }

  members(): readonly LogMember[] {
    this.#parts.driver()
    return this.#parts.members()
  }

  async addLearner(
    member: { readonly id: string; readonly address: string },
    { signal }: WaitOptions = {},
  ): Promise<void> {
    signal?.throwIfAborted()
    const id = parseId(member.id)
    parseAddress(member.address)
    const driver = this.#leading('add a member')
    if (driver.members.isSpent(id)) {
      const message = `Cannot add node ${id}: this id was given before, and ids are never used again; take a new one`
      throw new SkeinError('id-reused', message, { details: { node: id } })
    }
    await this.#change({ action: 'add-learner', id }, { signal, address: member.address })
  }

  async promote(id: string, { signal }: WaitOptions = {}): Promise<void> {
    signal?.throwIfAborted()
    const node = parseId(id)
    this.#leading('promote a member')
    const caughtUp = () => {
      const { peers, commit } = this.#leading('promote a member').status
      const peer = peers.find((one) => one.id === node)
      if (peer === undefined) throw notMember(node)
      return peer.match >= commit
    }
    await this.#until(caughtUp, { signal, what: `node ${node} to catch up` })
    await this.#change({ action: 'add-voter', id: node }, { signal })
  }

  async remove(id: string, { signal }: WaitOptions = {}): Promise<void> {
    signal?.throwIfAborted()
    const node = parseId(id)
    const driver = this.#leading('remove a member')
    const { configuration } = driver.status
    if (!this.#parts.members().some((member) => member.id === id)) throw notMember(node)
    if (node === driver.status.id && configuration.voters.length > 1) {
      const others = driver.status.peers.filter((peer) => peer.voter && peer.id !== node)
      const next = others.sort((left, right) => right.match - left.match)[0]!.id
      await this.transfer(String(next), { ...(signal && { signal }) })
      throw new NotLeaderError('remove this member', next)
    }
    if (isVoter(configuration, node)) await this.#change({ action: 'add-learner', id: node }, { signal })
    await this.#change({ action: 'remove', id: node }, { signal })
  }

  async transfer(to: string, { signal }: WaitOptions = {}): Promise<void> {
    signal?.throwIfAborted()
    const node = parseId(to)
    const driver = this.#parts.driver()
    if (!isVoter(driver.status.configuration, node)) throw notMember(node)
    if (driver.status.leader === node) return
    driver.transfer(node)
    await this.#until(() => this.#parts.driver().status.leader === node, { signal, what: `node ${node} to lead` })
  }

  #leading(action: string): RaftDriver {
    const driver = this.#parts.driver()
    const { role, leader } = driver.status
    if (role !== 'leader') throw new NotLeaderError(action, leader)
    return driver
  }

  /** Tries again while an earlier change is under way, or the leader has committed nothing yet. */
  async #change(
    step: MemberChange,
    options: { readonly signal: AbortSignal | undefined; readonly address?: string },
  ): Promise<void> {
    const { signal, address } = options
    const context = address === undefined ? {} : { context: encodeAddresses([[step.id, address]]) }
    const change: ConfigChange = { mode: 'auto', changes: [step], ...context }
    let refusal: unknown
    const isProposed = () => {
      try {
        const driver = this.#parts.driver()
        if (driver.status.transferTarget !== 0) return false
        proposed = this.#parts.pending.wait(driver.proposeChange(change), signal)
        // It is awaited below.
        proposed.catch(() => undefined)
        return true
      } catch (error) {
        refusal = error
        if (error instanceof SkeinError && error.code === 'config-change-refused' && error.retryable) return false
        throw error
      }
    }
    let proposed: Promise<unknown> | undefined
    await this.#until(isProposed, { signal, what: 'an earlier change of members to take effect' }).catch((error) => {
      throw error instanceof SkeinError && error.code === 'timeout' && refusal !== undefined ? refusal : error
    })
    await proposed
  }

  async #until(
    condition: () => boolean,
    { signal, what }: { readonly signal: AbortSignal | undefined; readonly what: string },
  ): Promise<void> {
    const { clock, everyMs, giveUpMs } = this.#parts
    const untilMs = clock.monotonicMs() + giveUpMs
    while (!condition()) {
      if (clock.monotonicMs() > untilMs) {
        throw new SkeinError('timeout', `Waited ${giveUpMs} ms for ${what}; look at the members and try again`)
      }
      await clock.sleep(everyMs / 2, signal === undefined ? {} : { signal })
    }
  }
}

function parseId(text: string): NodeId {
  const id = Number(text)
  if (/^[1-9]\d*$/.test(text) && Number.isSafeInteger(id)) return id
  throw new SkeinError('bad-argument', `Cannot use "${text}" as a node id: it must be a whole number from 1`)
}

function notMember(id: NodeId): SkeinError {
  return new SkeinError('not-found', `Cannot do that with node ${id}: it is no such member of the group`)
}
