import assert from 'node:assert/strict'
import type { Random } from '../../src/core/index.ts'
import {
  bootstrapState,
  type ConfigChange,
  ConfigChangeError,
  type Configuration,
  type Entry,
  type HardState,
  type Message,
  type NodeId,
  NotLeaderError,
  type RaftLimits,
  RaftNode,
  type Ready,
  type SnapshotMetadata,
} from '../../src/raft/index.ts'

const NEVER_STORED: HardState = { term: 0, vote: 0, commit: 0 }

/** A disk that keeps what was completed, in order, and loses the rest in a crash. */
interface Stored {
  hardState: HardState
  snapshot: SnapshotMetadata | undefined
  entries: Entry[]
}

interface Member {
  readonly id: NodeId
  node: RaftNode
  stored: Stored
  /** Handed out, not yet durable, oldest first. */
  writes: Ready[]
  /** Handed out to be applied, oldest first. */
  toApply: Array<Ready['committed'][number] | SnapshotMetadata>
  /** What its state machine holds: the digest after each index is checked against everybody else's. */
  appliedIndex: number
  configuration: Configuration | undefined
  isUp: boolean
}

export interface Faults {
  readonly loss: number
  readonly duplication: number
  readonly crash: number
}

/**
 * A whole group in one array of events: a random one is taken each time, so messages and completed writes come in any
 * order between nodes, and writes in order on each. Every promise of the protocol is checked as things happen.
 */
export class SimpleCluster {
  readonly members = new Map<NodeId, Member>()
  readonly counts = {
    commits: 0,
    elections: 0,
    reads: 0,
    crashes: 0,
    snapshots: 0,
    changes: 0,
    transfers: 0,
    truncations: 0,
  }
  #network: Message[] = []
  readonly #random: Random
  readonly #limits: Partial<RaftLimits>
  /** Nodes that hear only each other; everyone else hears only everyone else. */
  #apart: ReadonlySet<NodeId> = new Set()
  /** term → leader. */
  readonly #leaders = new Map<number, NodeId>()
  /** index → the entry that somebody applied there. */
  readonly #applied = new Map<number, Entry>()
  #committedMax = 0
  #proposed = 0

  constructor(ids: readonly NodeId[], options: { readonly random: Random; readonly limits?: Partial<RaftLimits> }) {
    this.#random = options.random
    this.#limits = options.limits ?? {}
    for (const id of ids) this.#add(id, bootstrapState(ids))
  }

  join(id: NodeId): void {
    this.#add(id, { hardState: NEVER_STORED, entries: [] })
  }

  #add(id: NodeId, state: { readonly hardState: HardState; readonly entries: readonly Entry[] }): void {
    const stored: Stored = { hardState: state.hardState, snapshot: undefined, entries: [...state.entries] }
    const member: Member = {
      id,
      node: this.#boot(id, stored),
      stored,
      writes: [],
      toApply: [],
      appliedIndex: 0,
      configuration: undefined,
      isUp: true,
    }
    this.members.set(id, member)
  }

  #boot(id: NodeId, stored: Stored): RaftNode {
    return new RaftNode({ id, random: this.#random, state: stored, ...this.#limits })
  }

  pick<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.#random.float() * items.length)]
  }

  up(): Member[] {
    return [...this.members.values()].filter((member) => member.isUp)
  }

  /** Everyone who believes to lead. */
  leaders(): Member[] {
    return this.up().filter(({ node }) => node.status().role === 'leader')
  }

  leader(): Member | undefined {
    return this.leaders().sort((left, right) => right.node.status().term - left.node.status().term)[0]
  }

  /** One random thing happens. */
  step(faults: Faults): void {
    const chance = this.#random.float()
    if (chance < 0.12) this.tick(this.pick(this.up()))
    else if (chance < 0.62) this.deliver(faults)
    else if (chance < 0.8) this.completeWrite(this.pick(this.up()))
    else if (chance < 0.9) this.applySome(this.pick(this.up()))
    else if (chance < 0.95) this.propose(this.pick(this.leaders()))
    else if (chance < 0.97) this.read(this.pick(this.#random.float() < 0.5 ? this.up() : this.leaders()))
    else if (chance < 0.975) this.snapshot(this.pick(this.up()))
    else if (this.#random.float() < faults.crash) this.crash(this.pick([...this.members.values()]))
    // Who is down comes back soon, or nothing would be left to go wrong.
    else if (this.#random.float() < 0.3) this.crash(this.pick([...this.members.values()].filter(({ isUp }) => !isUp)))
  }

  /** What a message promises is on the disk by the time it leaves. */
  #send(member: Member, message: Message): void {
    const { hardState, snapshot, entries } = member.stored
    if (message.type === 'append-accepted') {
      const last = entries.at(-1)?.index ?? snapshot?.index ?? 0
      // A later leader may have cut the log again; then the term is newer.
      assert.ok(last >= message.index || hardState.term > message.term, 'acknowledged before it was durable')
    }
    const votesFor = message.type === 'vote-reply' && message.granted ? message.to : message.from
    if ((message.type === 'vote-reply' && message.granted) || message.type === 'vote-request') {
      const isKept = hardState.term === message.term && hardState.vote === votesFor
      assert.ok(message.preVote || isKept || hardState.term > message.term, 'voted before the vote was durable')
    }
    this.#network.push(message)
  }

  tick(member: Member | undefined): void {
    if (member === undefined) return
    member.node.tick()
    this.drain(member)
  }

  deliver(faults: Faults): void {
    if (this.#network.length === 0) return
    const at = Math.floor(this.#random.float() * Math.min(this.#network.length, 20))
    const message = this.#network[at]!
    if (this.#random.float() >= faults.duplication) this.#network.splice(at, 1)
    const target = this.members.get(message.to)
    const isCut = this.#apart.has(message.from) !== this.#apart.has(message.to)
    if (this.#random.float() < faults.loss || target?.isUp !== true || isCut) {
      this.#lose(message)
      return
    }
    target.node.step(message)
    if (message.type === 'snapshot') this.#reportSnapshot(message, true)
    this.drain(target)
  }

  #lose(message: Message): void {
    if (message.type === 'snapshot') this.#reportSnapshot(message, false)
  }

  #reportSnapshot(message: Message, ok: boolean): void {
    const sender = this.members.get(message.from)
    if (sender?.isUp !== true) return
    sender.node.reportSnapshot(message.to, ok)
    this.drain(sender)
  }

  /** Takes everything the node has to say. */
  drain(member: Member): void {
    for (let ready = member.node.ready(); ready !== undefined; ready = member.node.ready()) {
      for (const message of ready.messages) this.#send(member, message)
      for (const { index, context } of ready.readStates) this.#checkRead(index, context as number)
      if (ready.token !== undefined) member.writes.push(ready)
      if (ready.snapshot !== undefined) member.toApply.push(ready.snapshot)
      member.toApply.push(...ready.committed)
      this.#checkLeader(member)
    }
    while (this.#network.length > 500) this.#lose(this.#network.shift()!)
  }

  completeWrite(member: Member | undefined): void {
    const ready = member?.writes.shift()
    if (member === undefined || ready === undefined) return
    const { stored } = member
    if (ready.hardState !== undefined) stored.hardState = ready.hardState
    if (ready.snapshot !== undefined) {
      stored.snapshot = ready.snapshot
      stored.entries = []
      this.counts.snapshots += 1
    }
    if (ready.entries.length > 0) {
      const first = ready.entries[0]!.index
      const kept = stored.entries.filter((entry) => entry.index < first)
      if (kept.length < stored.entries.length) this.counts.truncations += 1
      stored.entries = [...kept, ...ready.entries]
    }
    for (const message of ready.messagesAfterPersist) this.#send(member, message)
    member.node.persisted(ready.token!)
    this.drain(member)
  }

  applySome(member: Member | undefined): void {
    if (member === undefined) return
    for (let count = 1 + Math.floor(this.#random.float() * 5); count > 0; count -= 1) {
      const next = member.toApply[0]
      if (next === undefined) break
      // A snapshot is restored when it is durable.
      if ('configuration' in next && (member.stored.snapshot?.index ?? 0) < next.index) break
      member.toApply.shift()
      if ('configuration' in next) member.appliedIndex = Math.max(member.appliedIndex, next.index)
      else this.#apply(member, next)
      member.node.applied(member.appliedIndex)
    }
    this.drain(member)
  }

  #apply(member: Member, entry: Entry): void {
    assert.equal(entry.index, member.appliedIndex + 1, 'applied in order')
    const { entries, snapshot } = member.stored
    assert.ok((entries.at(-1)?.index ?? snapshot?.index ?? 0) >= entry.index, 'applied before it was durable')
    this.#checkCommitted(entry)
    member.appliedIndex = entry.index
    if (entry.kind !== 'config') return
    member.configuration = member.node.applyConfigChange(entry)
    this.counts.changes += 1
  }

  propose(member: Member | undefined): void {
    if (member === undefined) return
    const data = Array.from({ length: 1 + Math.floor(this.#random.float() * 3) }, () => {
      this.#proposed += 1
      return new TextEncoder().encode(`${this.#proposed}`)
    })
    try {
      member.node.propose(data)
    } catch (error) {
      assert.ok(error instanceof NotLeaderError)
    }
    this.drain(member)
  }

  change(change: ConfigChange): boolean {
    const leader = this.leader()
    if (leader === undefined) return false
    try {
      leader.node.proposeConfigChange(change)
      this.drain(leader)
      return true
    } catch (error) {
      assert.ok(error instanceof NotLeaderError || error instanceof ConfigChangeError)
      return false
    }
  }

  transfer(target: NodeId): void {
    const leader = this.leader()
    if (leader?.node.status().configuration.voters.includes(target) !== true) return
    leader.node.transferLeadership(target)
    this.drain(leader)
    this.counts.transfers += 1
  }

  /** The context is what had been committed, by anybody's knowledge, when the read was asked for. */
  read(member: Member | undefined): void {
    if (member === undefined) return
    member.node.readIndex(this.#committedMax)
    this.drain(member)
  }

  snapshot(member: Member | undefined): void {
    if (member === undefined || member.appliedIndex <= member.node.status().snapshotIndex) return
    // Storing it is a write behind those in flight: only when there are none is it simple.
    if (member.writes.length > 0) return
    // A little behind what is applied, as it is when the state was copied a while ago.
    const index = Math.max(
      member.node.status().snapshotIndex + 1,
      member.appliedIndex - Math.floor(this.#random.float() * 4),
    )
    const metadata = member.node.snapshotMetadata(index)
    member.stored.snapshot = metadata
    const keep = Math.floor(this.#random.float() * 5)
    member.stored.entries = member.stored.entries.filter((entry) => entry.index > metadata.index - keep)
    member.node.snapshotTaken(metadata)
    const firstKept = member.stored.entries[0]?.index ?? metadata.index + 1
    member.node.compact(Math.min(metadata.index, firstKept))
    this.drain(member)
  }

  /** Loses what is not durable, and comes back at once or later. */
  crash(member: Member | undefined): void {
    if (member === undefined) return
    this.counts.crashes += 1
    member.isUp = !member.isUp
    member.writes = []
    member.toApply = []
    if (!member.isUp) return
    member.node = this.#boot(member.id, member.stored)
    member.appliedIndex = member.stored.snapshot?.index ?? 0
    this.drain(member)
  }

  /** Cuts the group in two, anywhere. */
  partition(): void {
    this.#apart = new Set([...this.members.keys()].filter(() => this.#random.float() < 0.5))
  }

  heal(): void {
    this.#apart = new Set()
  }

  restartAll(): void {
    for (const member of this.members.values()) if (!member.isUp) this.crash(member)
  }

  #checkLeader(member: Member): void {
    const { role, term, commit } = member.node.status()
    if (role === 'leader') {
      if (!this.#leaders.has(term)) this.counts.elections += 1
      assert.equal(this.#leaders.get(term) ?? member.id, member.id, `two leaders in term ${term}`)
      this.#leaders.set(term, member.id)
      if (commit > this.#committedMax) this.#checkQuorum(member, commit)
    }
    this.#committedMax = Math.max(this.#committedMax, commit)
  }

  /** What a leader calls committed is on the disks of a quorum. */
  #checkQuorum(member: Member, commit: number): void {
    const { configuration } = member.node.status()
    const wanted = this.#entryOf(member, commit)
    if (wanted === undefined) return
    const holds = (id: NodeId): boolean => {
      const stored = this.members.get(id)?.stored
      if (stored === undefined) return false
      if ((stored.snapshot?.index ?? 0) >= commit) return true
      return stored.entries.some((entry) => entry.index === commit && entry.term === wanted.term)
    }
    for (const half of [configuration.voters, configuration.votersOutgoing]) {
      const isHeld = half.length === 0 || half.filter(holds).length > half.length / 2
      assert.ok(isHeld, `entry ${commit} is committed, but not durable on a majority of ${half}`)
    }
  }

  #entryOf(member: Member, index: number): Entry | undefined {
    const inFlight = member.writes.flatMap((ready) => ready.entries)
    return [...inFlight.reverse(), ...member.stored.entries].find((entry) => entry.index === index)
  }

  #checkCommitted(entry: Entry): void {
    const before = this.#applied.get(entry.index)
    if (before === undefined) {
      this.#applied.set(entry.index, entry)
      this.counts.commits += 1
    } else {
      assert.equal(before.term, entry.term, `two entries committed at ${entry.index}`)
      assert.deepEqual(before.data, entry.data, `two entries committed at ${entry.index}`)
    }
  }

  #checkRead(index: number, floor: number): void {
    this.counts.reads += 1
    assert.ok(index >= floor, `a read at ${index} misses entry ${floor}, which was committed before it was asked for`)
  }
}
