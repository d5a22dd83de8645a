import type { Random } from '../../src/core/index.ts'
import { type ConfigChange, type Configuration, isJoint, membersOf, type RaftStatus } from '../../src/raft/index.ts'
import { afterChange } from './check/quorums.ts'
import type { SimNode } from './sim-node.ts'
import type { FaultKind } from './tally.ts'
import { Violation } from './violation.ts'
import type { World } from './world.ts'

type Request = 'snapshot' | 'purge' | 'transfer' | 'add-learner' | 'promote' | 'demote' | 'remove' | 'joint'

const ROUND_MS = 700
const NODES_MAX = 12
const VOTERS_MAX = 7
/** A learner this close to the leader is caught up. */
const LAG_MAX = 50

/**
 * Whoever looks after the group: carries out what a plan asks for, replaces machines whose disks are lost (new id, learner,
 * voter; old one demoted, then removed), leaves joint configurations that nobody left, takes away who is no member.
 */
export class Operator {
  readonly #world: World
  readonly #random: Random
  /** Removed members live on for a while, and must not disturb. */
  readonly #removedRounds = new Map<number, number>()

  constructor(world: World) {
    this.#world = world
    this.#random = world.stream('operator')
  }

  begin(): void {
    this.#everyRound()
  }

  #everyRound(): void {
    this.#world.events.after(ROUND_MS, () => {
      this.#round()
      this.#everyRound()
    })
  }

  /** A machine burns down. Its id is never used again; somebody else takes its place. */
  replace(node: SimNode): void {
    if (node.state === 'gone' || !this.#world.atlas.mayDamage(node.id)) return
    this.#world.note(() => `node ${node.id} is lost, with its disk`)
    this.#world.noteDamage(node.id)
    node.crash()
    node.state = 'gone'
    this.#startNew()
    this.#world.tally.count('process-empty-disk-restart')
  }

  ask(request: Request, nodes: readonly SimNode[]): void {
    const leader = this.#world.leader()
    if (request === 'snapshot' || request === 'purge') {
      this.#snapshot(request, nodes)
      return
    }
    leader?.run(() => {
      if (leader.member === undefined) return
      const { status } = leader.member
      if (request === 'transfer') this.#transfer(leader, status)
      else this.#change(request, leader)
    })
  }

  #snapshot(request: 'snapshot' | 'purge', nodes: readonly SimNode[]): void {
    for (const node of nodes) {
      node.run(() => {
        // Only what has something new to say is a snapshot.
        if (node.member === undefined || node.member.machine.applied <= node.member.status.snapshotIndex) return
        node.member.takeSnapshot({ keptEntries: request === 'purge' ? 0 : 1_000_000 })
        this.#world.tally.count(request === 'purge' ? 'log-purged' : 'snapshot-forced')
      })
    }
  }

  #transfer(leader: SimNode, { configuration }: RaftStatus): void {
    const target = this.#pick(configuration.voters.filter((id) => id !== leader.id))
    if (target === undefined || leader.member?.status.role !== 'leader') return
    leader.member.transfer(target)
    this.#world.tally.count('leadership-transfer')
  }

  #change(request: Exclude<Request, 'snapshot' | 'purge' | 'transfer'>, leader: SimNode): void {
    const { configuration } = leader.member!.status
    const change = this.#draw(request, configuration)
    if (change !== undefined && this.#propose(leader, change)) this.#world.tally.count(COUNTED[request])
  }

  #draw(request: Exclude<Request, 'snapshot' | 'purge' | 'transfer'>, now: Configuration): ConfigChange | undefined {
    const voter = this.#pick(now.voters)!
    const learner = this.#pick(now.learners)
    switch (request) {
      case 'add-learner': {
        const fresh = this.#outsider() ?? this.#startNew()
        return fresh && { mode: 'auto', changes: [{ action: 'add-learner', id: fresh.id }] }
      }
      case 'promote':
        if (learner === undefined || now.voters.length >= VOTERS_MAX) return undefined
        return { mode: 'auto', changes: [{ action: 'add-voter', id: learner }] }
      case 'demote':
        return { mode: 'auto', changes: [{ action: 'add-learner', id: voter }] }
      case 'remove':
        return learner === undefined ? undefined : { mode: 'auto', changes: [{ action: 'remove', id: learner }] }
      default: {
        const mode = this.#random.float() < 0.5 ? 'joint' : 'joint-until-left'
        return { mode, changes: this.#drawExchange(now, { voter, learner }) }
      }
    }
  }

  /** A learner for a voter, or several for several: the more there are, the less the old and the new majority share. */
  #drawExchange(
    { voters, learners }: Configuration,
    { voter, learner }: { readonly voter: number; readonly learner: number | undefined },
  ): ConfigChange['changes'] {
    const isWide = this.#random.float() < 0.4
    const leaving = isWide ? voters.filter((id) => id === voter || this.#random.float() < 0.4) : [voter]
    const coming = isWide ? learners : learners.filter((id) => id === learner)
    const changes: Array<ConfigChange['changes'][number]> = coming.map((id) => ({ action: 'add-voter', id }))
    // That a voter goes outright, without being a learner first, must be refused.
    const action = this.#random.float() < 0.1 ? 'remove' : 'add-learner'
    for (const id of leaving) changes.push({ action, id })
    return changes
  }

  /** False when the group would be left without enough good disks, or the leader refuses. */
  #propose(leader: SimNode, change: ConfigChange): boolean {
    const { configuration } = leader.member!.status
    const after = afterChange(configuration, change)
    if (after === undefined || !this.#world.atlas.mayChangeTo(after)) return false
    try {
      leader.member!.change(change)
      checkDemoted(after)
      this.#world.note(() => `node ${leader.id} proposes ${change.mode} ${JSON.stringify(change.changes)}`)
      this.#world.tally.configChanges += 1
      return true
    } catch (error) {
      const { code } = error as { readonly code?: string }
      if (code === 'config-change-refused' || code === 'not-leader') return false
      throw error
    }
  }

  #round(): void {
    const leader = this.#world.leader()
    leader?.run(() => {
      if (leader.member?.status.role === 'leader') this.#lookAfter(leader, leader.member.status)
    })
  }

  #lookAfter(leader: SimNode, { configuration, lastIndex, peers }: RaftStatus): void {
    const { atlas, nodes } = this.#world
    if (isJoint(configuration)) {
      if (!configuration.autoLeave) this.#propose(leader, { mode: 'leave', changes: [] })
      return
    }
    const lostVoter = configuration.voters.find((id) => atlas.isDamaged(id))
    const lostLearner = configuration.learners.find((id) => atlas.isDamaged(id))
    if (lostLearner !== undefined) {
      this.#propose(leader, { mode: 'auto', changes: [{ action: 'remove', id: lostLearner }] })
      return
    }
    if (lostVoter !== undefined) {
      const ready = configuration.learners.find((id) => {
        const match = peers.find((peer) => peer.id === id)?.match ?? 0
        return match + LAG_MAX >= lastIndex && nodes.get(id)?.state === 'up'
      })
      this.#replaceVoter(leader, { configuration, lost: lostVoter, ready })
    }
    this.#takeAway(configuration)
  }

  #replaceVoter(
    leader: SimNode,
    place: { readonly configuration: Configuration; readonly lost: number; readonly ready: number | undefined },
  ): void {
    const { configuration, lost, ready } = place
    const demote = { action: 'add-learner', id: lost } as const
    if (ready !== undefined && configuration.voters.length < VOTERS_MAX) {
      this.#propose(leader, { mode: 'auto', changes: [{ action: 'add-voter', id: ready }, demote] })
    } else if (configuration.learners.length === 0) {
      const fresh = this.#outsider() ?? this.#startNew()
      const changes = fresh === undefined ? [demote] : [{ action: 'add-learner', id: fresh.id } as const]
      this.#propose(leader, { mode: 'auto', changes })
    } else if (configuration.voters.length > 2) this.#propose(leader, { mode: 'auto', changes: [demote] })
  }

  /** Machines that were members once and are none any more. */
  #takeAway(configuration: Configuration): void {
    const members = membersOf(configuration)
    for (const node of this.#world.nodes.values()) {
      const wasMember = (node.member?.status.configuration.voters.length ?? 0) > 0
      if (node.state === 'gone' || members.includes(node.id) || (!wasMember && node.state === 'up')) {
        this.#removedRounds.delete(node.id)
        continue
      }
      const rounds = (this.#removedRounds.get(node.id) ?? 0) + 1
      this.#removedRounds.set(node.id, rounds)
      if (rounds < 12) continue
      this.#world.note(() => `node ${node.id} is taken away: it is no member`)
      node.crash()
      node.state = 'gone'
    }
  }

  /** A machine that waits to be added: it was never a member, since ids are not used twice. */
  #outsider(): SimNode | undefined {
    const members = membersOf(this.#world.configuration())
    for (const node of this.#world.nodes.values()) {
      const isFresh = (node.member?.status.lastIndex ?? 1) === 0
      if (isFresh && !members.includes(node.id) && node.state === 'up') return node
    }
    return undefined
  }

  #startNew(): SimNode | undefined {
    const living = [...this.#world.nodes.values()].filter(({ state }) => state !== 'gone')
    return living.length < NODES_MAX ? this.#world.addNode() : undefined
  }

  #pick<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.#random.float() * items.length)]
  }
}

/** One that is in no list any more may be gone, with its disk, while its vote is still needed. */
function checkDemoted({ voters, votersOutgoing, learnersNext }: Configuration): void {
  const removed = votersOutgoing.find((id) => !voters.includes(id) && !learnersNext.includes(id))
  if (removed !== undefined) throw new Violation('a voter is made a learner before it goes', `node ${removed} was not`)
}

const COUNTED: Record<Exclude<Request, 'snapshot' | 'purge' | 'transfer'>, FaultKind> = {
  'add-learner': 'membership-learner-added',
  promote: 'membership-promoted',
  demote: 'membership-demoted',
  remove: 'membership-removed',
  joint: 'membership-joint',
}
