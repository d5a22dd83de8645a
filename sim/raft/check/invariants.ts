import type { Entry, InitialState, Message, RaftStatus, Ready, SnapshotMetadata } from '../../../src/raft/index.ts'
import { isVoter } from '../../../src/raft/index.ts'
import type { SimulatedVolume } from '../../../testing/index.ts'
import type { StateMachine } from '../state-machine.ts'
import { Violation } from '../violation.ts'
import { checkEarlierTerm } from './earlier-term.ts'
import { checkElected, checkRole, noteCandidate, voteKey } from './elections.ts'
import { checkEntitledCommit } from './entitled-commit.ts'
import { GroupRecord } from './group-record.ts'
import type { InvariantLimits } from './invariant-limits.ts'
import { checkMessage } from './messages.ts'
import { NodeRecord } from './node-record.ts'
import { checkPeers } from './peers.ts'
import { describeConfiguration, isQuorum } from './quorums.ts'
import { noteVerified } from './verified.ts'

/**
 * The promises of Raft, checked wherever a core hands something out or takes something in. It watches the ports of a
 * node (core, disk, network, state machine) and asks the node itself nothing but its status. Throws `Violation`.
 */
export class Invariants {
  readonly group = new GroupRecord()
  readonly limits: InvariantLimits
  readonly #nodes = new Map<number, NodeRecord>()

  constructor(limits: InvariantLimits) {
    this.limits = limits
  }

  added(id: number, volume: SimulatedVolume): void {
    this.#nodes.set(id, new NodeRecord(id, volume))
  }

  node(id: number): NodeRecord {
    return this.#nodes.get(id)!
  }

  /** The power failed, or the disk was touched: what is on it must be read anew. */
  crashed(id: number): void {
    const node = this.node(id)
    node.forget()
    node.disk.invalidate()
    // What was not durable it may forget: it has told nobody.
    node.term = node.disk.vote?.term ?? 0
  }

  damaged(id: number): void {
    this.node(id).isDamaged = true
    this.node(id).disk.invalidate()
  }

  /** A core starts from what its driver read back. */
  started(id: number, state: InitialState): void {
    const node = this.node(id)
    const { snapshot, entries = [], hardState } = state
    // What precedes a stored log was compacted, so it was committed.
    const before = (entries[0]?.index ?? (snapshot?.index ?? 0) + 1) - 1
    node.log.restart(before, this.group.committedTerm(before) ?? 0)
    for (const entry of entries) node.log.put(entry)
    const { acknowledged } = node
    const committed = this.group.committedTerm(acknowledged.index)
    const isThere =
      acknowledged.index <= Math.max(node.log.startIndex, snapshot?.index ?? 0) ||
      node.log.term(acknowledged.index) === acknowledged.term ||
      // A later leader has replaced it since.
      node.log.lastTerm > acknowledged.term
    if (!isThere) {
      const what = `node ${id} acknowledged entry ${acknowledged.index} of term ${acknowledged.term} (committed: ${committed ?? 'no'}) and starts without it`
      throw new Violation('an acknowledged append survives a crash', what)
    }
    if ((hardState?.term ?? 0) < (node.disk.vote?.term ?? 0)) {
      throw new Violation('durable state survives a crash', `node ${id} starts in an earlier term than its disk has`)
    }
  }

  /** Whatever came out of a core; called before its driver acts on it. */
  handedOut(id: number, ready: Ready | undefined, status: RaftStatus): void {
    const node = this.node(id)
    this.#checkElection(node, status)
    if (ready !== undefined) this.#takeLog(node, ready, status)
    this.#checkMarks(node, status)
    this.#checkConfiguration(node, status)
    this.#advanceCommit(node, status)
    if (status.role === 'leader') checkPeers(node, status, (peer, entry) => this.#isCounted(peer, entry, status.term))
    for (const { context, index } of ready?.readStates ?? []) this.#checkRead(node, context, index)
    node.status = status
    node.role = status.role
  }

  #checkElection(node: NodeRecord, status: RaftStatus): void {
    const { term, role, vote } = status
    if (term < node.term)
      throw new Violation('terms never go back', `node ${node.id} went from ${node.term} to ${term}`)
    const before = node.status
    if (before?.term === term && before.vote !== 0 && before.vote !== vote) {
      throw new Violation('one vote in a term', `node ${node.id} changed its vote in term ${term} from ${before.vote}`)
    }
    checkRole(node, { status, group: this.group, limits: this.limits })
    node.term = term
    if (role !== 'leader' || (before?.role === 'leader' && before.term === term)) return
    checkElected(node, status)
    this.group.leads(node.id, term)
    node.matches.clear()
    node.leaderSinceTick = node.ticks
    node.unheard.clear()
    node.heardAtTick.clear()
  }

  #takeLog(node: NodeRecord, { snapshot, entries }: Ready, status: RaftStatus): void {
    const { log, id } = node
    if (snapshot !== undefined) {
      const committed = this.group.committedTerm(snapshot.index)
      if (committed !== snapshot.term) {
        throw new Violation('a snapshot holds what is committed', `node ${id} takes one of entry ${snapshot.index}`)
      }
      log.restart(snapshot.index, snapshot.term)
      node.commit = Math.max(node.commit, snapshot.index)
    }
    const first = entries[0]?.index ?? log.lastIndex + 1
    if (first <= log.lastIndex) this.#checkTruncation(node, first, status)
    for (const entry of entries) {
      this.#takeEntry(node, entry)
      if (entry.kind === 'config' && status.role === 'leader' && entry.term === status.term)
        this.#checkMayChange(node, entry, status)
    }
    if (log.lastIndex !== status.lastIndex || log.lastTerm !== status.lastTerm) {
      const what = `node ${id} says its log ends at ${status.lastIndex}@${status.lastTerm}; it handed out ${log.lastIndex}@${log.lastTerm}`
      throw new Violation('all of the log is handed out to be stored', what)
    }
    log.compact(status.firstIndex - 1)
    if (status.role === 'leader') this.#checkLeader(node, status)
  }

  #checkTruncation(node: NodeRecord, first: number, { role, term }: RaftStatus): void {
    if (first <= node.commit) {
      throw new Violation('a committed entry never changes', `node ${node.id} cuts its log back to ${first - 1}`)
    }
    if (role === 'leader' && node.status?.role === 'leader' && node.status.term === term) {
      throw new Violation('a leader never overwrites its own log', `node ${node.id} does, from entry ${first}`)
    }
  }

  #takeEntry(node: NodeRecord, entry: Entry): void {
    const { log, id } = node
    const previousTerm = log.term(entry.index - 1)
    if (previousTerm === undefined)
      throw new Violation('the log has no gap', `node ${id} has one before ${entry.index}`)
    if (entry.term < previousTerm) throw new Violation('terms grow along the log', `not at entry ${entry.index}`)
    this.group.holds(id, entry, previousTerm)
    log.put(entry)
    if (entry.kind === 'config') this.#checkOneChange(node, entry)
  }

  /** Nor is one computed from a configuration that the leader itself does not go by yet. Two leaders could else each change the same old configuration, to two that share no majority. */
  #checkMayChange({ log }: NodeRecord, { index }: Entry, { id, term, commit, applied }: RaftStatus): void {
    for (let at = Math.max(applied, log.startIndex) + 1; at < index; at += 1) {
      if (log.entry(at)?.kind !== 'config') continue
      throw new Violation('one change at a time', `node ${id} proposes entry ${index} and has not applied entry ${at}`)
    }
    if (this.group.committedTerm(commit) === term || this.group.commit === 0) return
    const what = `node ${id} proposes one in term ${term}, having committed only entry ${commit}`
    throw new Violation('no change before a commit in the own term', what)
  }

  #checkOneChange({ log, id }: NodeRecord, { index }: Entry): void {
    for (let at = this.group.commit + 1; at < index; at += 1) {
      if (log.entry(at)?.kind !== 'config') continue
      const what = `node ${id} holds changes at entries ${at} and ${index}, and neither is committed`
      throw new Violation('at most one uncommitted configuration', what)
    }
  }

  /** Leader completeness: it has what was committed before its term. */
  #checkLeader({ log, id, status: before }: NodeRecord, { term, commit }: RaftStatus): void {
    const { group } = this
    if (before?.role !== 'leader' || before.term !== term) {
      const index = group.commit
      const has = index <= log.startIndex || log.term(index) === group.committedTerm(index)
      if (!has) throw new Violation('leader completeness', `node ${id} leads term ${term} without entry ${index}`)
    }
    let bytes = 0
    let largest = 0
    for (let index = Math.max(commit, log.startIndex) + 1; index <= log.lastIndex; index += 1) {
      const entry = log.entry(index)!
      // What a leader inherits it did not choose to take; nor is a change of configuration counted.
      if (entry.kind !== 'command' || entry.term !== term) continue
      bytes += entry.data.length
      largest = Math.max(largest, entry.data.length)
    }
    // However large, one is let through.
    if (bytes - largest <= this.limits.uncommittedBytesMax) return
    throw new Violation('uncommitted bytes are bounded', `${bytes} bytes at leader ${id}`)
  }

  #checkMarks(node: NodeRecord, status: RaftStatus): void {
    const { firstIndex, snapshotIndex, applied, commit, lastIndex } = status
    const compacted = firstIndex - 1
    // A snapshot that has come in is the state as soon as it is stored: until then it may be ahead of what is applied.
    const isOrdered = compacted <= Math.max(snapshotIndex, compacted) && applied <= commit && commit <= lastIndex
    if (!isOrdered || snapshotIndex > commit || compacted > snapshotIndex) {
      const what = `node ${node.id}: compacted ${compacted}, snapshot ${snapshotIndex}, applied ${applied}, commit ${commit}, last ${lastIndex}`
      throw new Violation('compacted ≤ snapshot ≤ applied ≤ commit ≤ last', what)
    }
    if (commit < (node.status?.commit ?? 0) || applied < (node.status?.applied ?? 0)) {
      throw new Violation('commit and applied never go back', `node ${node.id}: commit ${commit}, applied ${applied}`)
    }
    node.applied = applied
  }

  #checkConfiguration(node: NodeRecord, { configuration }: RaftStatus): void {
    const text = describeConfiguration(configuration)
    if (text !== node.configuration) node.configuredAtTick = node.ticks
    node.configuration = text
  }

  /** New commits: in every log the same, on a durable quorum, and in the log of any leader of a later term. */
  #advanceCommit(node: NodeRecord, status: RaftStatus): void {
    const { group } = this
    const { log } = node
    const from = Math.max(node.commit, log.startIndex) + 1
    let isNews = false
    for (let index = from; index <= status.commit; index += 1) {
      const entry = log.entry(index)
      if (entry === undefined) throw new Violation('commit ≤ last', `node ${node.id} lacks committed entry ${index}`)
      if (group.commits(node.id, entry)) isNews = true
    }
    node.commit = Math.max(node.commit, status.commit)
    if (!isNews) return
    this.#checkDurable(node, status)
    for (const other of this.#nodes.values()) {
      if (other.role !== 'leader' || other.status === undefined || other.term <= status.term) continue
      const has = status.commit <= other.log.startIndex || other.log.term(status.commit) === log.term(status.commit)
      if (!has) throw new Violation('leader completeness', `node ${other.id} leads without entry ${status.commit}`)
    }
  }

  #checkDurable(node: NodeRecord, { commit, configuration }: RaftStatus): void {
    const term = node.log.term(commit)!
    // The first entry of a new group, which makes its voters, is stored by each of them before it starts.
    if (configuration.voters.length === 0) return
    if (term !== node.term) {
      const what = `node ${node.id} commits entry ${commit} of term ${term} in term ${node.term}`
      throw new Violation('a leader counts only entries of its own term', what)
    }
    if (isQuorum(configuration, (id) => this.#isDurableAt(id, commit, term))) return
    const holders = [...this.#nodes.keys()].filter((id) => this.#isDurableAt(id, commit, term))
    const what = `node ${node.id} commits entry ${commit} of term ${term} under ${describeConfiguration(configuration)}; it is durable on (${holders.join(' ')})`
    throw new Violation('a committed entry is on a durable quorum', what)
  }

  #isDurableAt(id: number, index: number, term: number): boolean {
    const node = this.#nodes.get(id)
    // Damage to an older part hides what was written behind it; such a disk is never believed again anyway.
    return node !== undefined && (node.disk.has(index, term) || (node.isDamaged && node.log.term(index) === term))
  }

  /** A peer that has met a later leader may have lost again what it once acknowledged. */
  #isCounted(id: number, { index, term }: { readonly index: number; readonly term: number }, leading: number): boolean {
    const peer = this.#nodes.get(id)
    return peer === undefined || peer.isDamaged || peer.term > leading || this.#isDurableAt(id, index, term)
  }

  #checkRead(node: NodeRecord, context: unknown, index: number): void {
    const floor = node.readFloors.get(context) ?? Number.POSITIVE_INFINITY
    if (index < floor) {
      const what = `node ${node.id} may read at ${index}, and entry ${floor} was committed when the read was asked for`
      throw new Violation('a read is never stale', what)
    }
  }

  /** The driver asks for a read point: what is committed now must be seen. */
  readAsked(id: number, context: unknown): void {
    this.node(id).readFloors.set(context, this.group.commit)
  }

  /** An entry took effect at a node. */
  applied(id: number, entry: Entry, state: { readonly machine: StateMachine; readonly status: RaftStatus }): void {
    const node = this.node(id)
    this.group.applies(id, entry, state.machine.hash)
    if (entry.index > node.commit) throw new Violation('applied ≤ commit', `not at node ${id}, entry ${entry.index}`)
    if (!node.disk.has(entry.index, entry.term) && !node.isDamaged) {
      throw new Violation('what is applied is durable', `node ${id} applies entry ${entry.index} before it is`)
    }
    // A snapshot that is about to take the place of the state has brought its configuration already.
    if (state.status.snapshotIndex > entry.index) return
    this.group.configuredAs(id, entry.index, state.status.configuration)
  }

  restored(id: number, machine: StateMachine): void {
    this.group.stateIs(id, machine.applied, machine.hash)
  }

  ticked(id: number, status: RaftStatus): void {
    const node = this.node(id)
    node.ticks += 1
    if (status.role !== 'leader' || !this.limits.checkQuorum) return
    const since = Math.max(node.leaderSinceTick, node.configuredAtTick)
    const patience = 2 * this.limits.electionTicks + 2
    if (node.ticks - since <= patience || !isVoter(status.configuration, id)) return
    const isHeard = (peer: number) => peer === id || node.ticks - (node.heardAtTick.get(peer) ?? since) <= patience
    if (isQuorum(status.configuration, isHeard)) return
    throw new Violation('a leader without a quorum steps down', `node ${id} has not, in term ${status.term}`)
  }

  /** A message goes into a core. */
  received(id: number, message: Message): void {
    const node = this.node(id)
    const { from, type, term } = message
    node.heardAtTick.set(from, node.ticks)
    node.unheard.delete(from)
    const isFromLeader = type === 'append' || type === 'heartbeat' || type === 'snapshot'
    if (isFromLeader && term >= node.term) node.heardLeaderAtTick = node.ticks
    if (type === 'timeout-now') node.toldToCampaign.add(term)
    if (type === 'vote-reply' && message.granted) {
      const byTerm = message.preVote ? node.preVotes : node.votes
      byTerm.set(term, (byTerm.get(term) ?? new Set()).add(from))
    }
    if (type !== 'vote-request') return
    noteCandidate(node, message)
    this.#noteLease(node, message)
  }

  /** What was on its way there is lost, and no longer in flight. */
  reportedUnreachable(id: number, peer: number): void {
    this.node(id).unheard.delete(peer)
  }

  /** It has taken the message in. */
  stepped(message: Message, statuses: { readonly before: RaftStatus; readonly after: RaftStatus }): void {
    checkEntitledCommit(message, statuses)
    checkEarlierTerm(message, statuses)
    if (message.type === 'append' && message.term === statuses.after.term) noteVerified(this.node(message.to), message)
  }

  /** A core says what a snapshot is of: with the members that the log makes by then, whatever came later. */
  described(id: number, index: number, metadata: SnapshotMetadata): void {
    if (metadata.index !== index || metadata.term !== this.group.committedTerm(index)) {
      throw new Violation('a snapshot holds what is committed', `node ${id} describes one of entry ${index}`)
    }
    this.group.configuredAs(id, index, metadata.configuration)
  }

  #noteLease(node: NodeRecord, request: Extract<Message, { readonly type: 'vote-request' }>): void {
    const { term, transfer } = request
    const key = voteKey(request)
    const { status } = node
    const isLeased =
      this.limits.checkQuorum &&
      !transfer &&
      status?.role === 'follower' &&
      status.leader !== 0 &&
      term > status.term &&
      node.ticks - node.heardLeaderAtTick < this.limits.electionTicks
    if (isLeased) node.leased.add(key)
    else node.leased.delete(key)
  }

  /** A message leaves a node. */
  sent(from: number, message: Message): void {
    checkMessage(message, {
      limits: this.limits,
      group: this.group,
      sender: this.node(from),
      receiver: this.#nodes.get(message.to),
    })
  }
}
