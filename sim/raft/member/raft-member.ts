import {
  type ConfigChange,
  type Entry,
  isVoter,
  type Message,
  membersOf,
  NotLeaderError,
  type RaftNode,
  type RaftStatus,
  type Ready,
} from '../../../src/raft/index.ts'
import { encodeCommand, type StateMachine } from '../state-machine.ts'
import { Applier } from './applier.ts'
import type { Member, MemberHost, Packet, ProposalOutcome, ReadOutcome } from './member.ts'
import { type Recovered, recover } from './recover.ts'
import { decodeSnapshot, encodeSnapshot, type SnapshotFile } from './snapshot-file.ts'
import { Store, type StoredState } from './store.ts'

interface PendingProposal {
  readonly term: number
  readonly done: (outcome: ProposalOutcome) => void
}

interface PendingRead {
  readonly key: string
  readonly done: (outcome: ReadOutcome) => void
}

const SNAPSHOT_TIMEOUT_MS = 3_000
/** How long it takes to write down an image. */
const IMAGE_MS_MAX = 60
const HIGHEST_LEVEL = 2

/** The smallest driver of the core that keeps all of its rules: a store, a state machine, a timer, a socket. */
export class RaftMember implements Member {
  readonly #host: MemberHost
  readonly #raft: RaftNode
  readonly #store: Store
  readonly #applier: Applier
  readonly #proposals = new Map<number, PendingProposal>()
  #reads: Array<PendingRead & { readonly index: number }> = []
  /** Snapshots that arrived and wait for the core to ask for them. */
  readonly #arrived = new Map<number, SnapshotFile>()
  #snapshot: SnapshotFile | undefined
  #isSnapshotting = false
  readonly #versions = new Map<number, number>()
  #isPumping = false

  constructor(host: MemberHost) {
    this.#host = host
    const found = recover(host.volume)
    const stored = withSnapshot(found)
    const { snapshot, entries } = stored
    this.#store = new Store(host.volume, stored, (error) => host.stop(error))
    this.#snapshot = snapshot
    const { term, vote } = found
    const commit = Math.max(found.commit, snapshot?.metadata.index ?? 0)
    this.#raft = host.createRaft({
      ...host.raftOptions,
      id: host.id,
      random: host.random,
      state: { hardState: { term, vote, commit }, entries, ...(snapshot && { snapshot: snapshot.metadata }) },
    })
    this.#applier = new Applier(host, {
      machine: host.createStateMachine(snapshot?.state),
      applyConfig: (entry) => void this.#raft.applyConfigChange(entry),
      applied: (entry, reply) => this.#answerProposal(entry, { status: 'applied', reply }),
      advanced: (index) => this.#advanced(index),
    })
    if (snapshot !== undefined) host.restored(this.machine)
    this.#tickLater()
    this.#pump()
  }

  get #probesFirst(): boolean {
    return this.#host.version < HIGHEST_LEVEL
  }

  get status(): RaftStatus {
    return this.#raft.status()
  }

  get machine(): StateMachine {
    return this.#applier.machine
  }

  #tickLater(): void {
    this.#host.after(this.#host.tickMs, () => {
      this.#raft.tick()
      this.#tickLater()
      this.#pump()
      this.#raiseLevelWhenDue()
    })
  }

  receive(from: number, { version, body }: Packet): void {
    this.#versions.set(from, version)
    if (body.type === 'raft') this.#raft.step(body.message)
    else if (body.type === 'snapshot-end') this.#raft.reportSnapshot(from, true)
    else this.#receiveSnapshot(from, body)
    this.#pump()
  }

  unreachable(peer: number, { isGone }: { readonly isGone: boolean }): void {
    this.#raft.reportUnreachable(peer)
    if (isGone && this.#raft.status().leader === peer) this.#raft.forgetLeader()
    this.#pump()
  }

  #receiveSnapshot(from: number, { message, file }: Extract<Packet['body'], { readonly type: 'snapshot' }>): void {
    const snapshot = decodeSnapshot(file)
    if (snapshot === undefined) return
    const { index } = message.snapshot
    this.#arrived.set(index, snapshot)
    this.#raft.step(message)
    this.#pump()
    this.#arrived.delete(index)
    this.#send(from, { type: 'snapshot-end', index })
  }

  propose(data: Uint8Array, done: (outcome: ProposalOutcome) => void): void {
    try {
      const { last, term } = this.#raft.propose([data])
      this.#proposals.set(last, { term, done })
    } catch (error) {
      if (!isRefusal(error)) throw error
      done({ status: 'refused', leader: this.#raft.status().leader })
    }
    this.#pump()
  }

  read(key: string, done: (outcome: ReadOutcome) => void): void {
    this.#raft.readIndex({ key, done } satisfies PendingRead)
    this.#pump()
  }

  change(change: ConfigChange): void {
    this.#raft.proposeConfigChange(change)
    this.#pump()
  }

  transfer(target: number): void {
    this.#raft.transferLeadership(target)
    this.#pump()
  }

  /** The image is taken now and written meanwhile, while entries go on being applied; the log is let go only when it is safe. */
  takeSnapshot({ keptEntries }: { readonly keptEntries: number }): void {
    const index = this.machine.applied
    if (this.#isSnapshotting || index <= (this.#snapshot?.metadata.index ?? 0)) return
    this.#isSnapshotting = true
    const state = this.machine.image()
    const delayMs = this.#host.random.float() * IMAGE_MS_MAX
    this.#host.after(delayMs, () => this.#storeImage({ index, state }, Math.max(0, index - keptEntries)))
  }

  #storeImage({ index, state }: { readonly index: number; readonly state: Uint8Array }, through: number): void {
    // A snapshot of the leader's has overtaken it.
    if (index < this.#raft.status().firstIndex - 1 || index <= (this.#snapshot?.metadata.index ?? 0)) {
      this.#isSnapshotting = false
      return
    }
    const metadata = this.#raft.snapshotMetadata(index)
    const snapshot = { metadata, state }
    const done = () => {
      this.#isSnapshotting = false
      // The leader may have sent a later one meanwhile.
      if (index <= (this.#snapshot?.metadata.index ?? 0)) return
      this.#snapshot = snapshot
      this.#raft.snapshotTaken(metadata)
      this.#raft.compact(through)
      this.#pump()
    }
    this.#store.compact({ snapshot, through, done })
  }

  /** Does what the core asks for, in its order, until it asks for nothing more. */
  #pump(): void {
    if (this.#isPumping) return
    this.#isPumping = true
    try {
      for (let ready = this.#raft.ready(); ready !== undefined; ready = this.#raft.ready()) this.#handle(ready)
    } finally {
      this.#isPumping = false
    }
  }

  #handle(ready: Ready): void {
    for (const message of ready.messages) this.#sendMessage(message)
    if (ready.softState !== undefined && ready.softState.role !== 'leader') this.#forgetProposals()
    const snapshot = ready.snapshot === undefined ? undefined : this.#arrived.get(ready.snapshot.index)
    if (snapshot !== undefined) this.#applier.restore(snapshot)
    if (ready.token !== undefined) this.#persist(ready, snapshot)
    this.#applier.apply(ready.committed)
    for (const { context, index } of ready.readStates) this.#reads.push({ ...(context as PendingRead), index })
    for (const context of ready.abortedReads) (context as PendingRead).done({ status: 'aborted' })
    this.#answerReads()
  }

  #persist(ready: Ready, snapshot: SnapshotFile | undefined): void {
    const { hardState, entries, mustSync, messagesAfterPersist, token } = ready
    const done = () => {
      for (const message of messagesAfterPersist) this.#sendMessage(message)
      if (snapshot !== undefined) {
        this.#snapshot = snapshot
        this.#applier.restoreIsDurable(snapshot)
      }
      this.#raft.persisted(token!)
      this.#pump()
    }
    this.#store.append({ hardState, entries, snapshot, mustSync, done })
  }

  #sendMessage(message: Message): void {
    if (message.type === 'snapshot') this.#sendSnapshot(message)
    else if (message.type === 'append' && this.#probesFirst) this.#sendWithProbe(message)
    else this.#send(message.to, { type: 'raft', message })
  }

  /** The older build asks where the logs agree before it sends what follows, as other leaders do. */
  #sendWithProbe(message: Extract<Message, { readonly type: 'append' }>): void {
    const { to, entries } = message
    if (entries.length > 0) this.#send(to, { type: 'raft', message: { ...message, entries: [] } })
    this.#send(to, { type: 'raft', message })
  }

  #sendSnapshot(message: Extract<Message, { readonly type: 'snapshot' }>): void {
    const { index } = message.snapshot
    const { to } = message
    if (this.#snapshot?.metadata.index !== index) {
      // A newer one has taken its place: the core will ask for that.
      this.#host.after(0, () => this.#reportSnapshotLost(to))
      return
    }
    this.#send(to, { type: 'snapshot', message, file: encodeSnapshot(this.#snapshot) })
    this.#host.after(SNAPSHOT_TIMEOUT_MS, () => {
      const peer = this.#raft.status().peers.find(({ id }) => id === to)
      if (peer?.state === 'snapshot' && peer.pendingSnapshot === index) this.#reportSnapshotLost(to)
    })
  }

  #reportSnapshotLost(to: number): void {
    this.#raft.reportSnapshot(to, false)
    this.#pump()
  }

  #send(to: number, body: Packet['body']): void {
    this.#host.send(to, { version: this.#host.version, body })
  }

  #advanced(index: number): void {
    this.#raft.applied(index)
    this.#answerReads()
    this.#pump()
    if (index - (this.#snapshot?.metadata.index ?? 0) >= this.#host.snapshotEntries) {
      this.takeSnapshot({ keptEntries: this.#host.keptEntries })
    }
  }

  #answerProposal(entry: Entry, outcome: ProposalOutcome): void {
    const proposal = this.#proposals.get(entry.index)
    if (proposal === undefined) return
    this.#proposals.delete(entry.index)
    proposal.done(proposal.term === entry.term ? outcome : { status: 'unknown' })
  }

  #answerReads(): void {
    const { machine } = this
    const due = this.#reads.filter(({ index }) => index <= machine.applied)
    if (due.length === 0) return
    this.#reads = this.#reads.filter(({ index }) => index > machine.applied)
    for (const { key, done } of due) done({ status: 'read', value: machine.value(key), applied: machine.applied })
  }

  /** Nobody knows what will become of them. */
  #forgetProposals(): void {
    const pending = [...this.#proposals.values()]
    this.#proposals.clear()
    for (const { done } of pending) done({ status: 'unknown' })
  }

  /** A leader raises the replicated level once every member has said that it understands it. */
  #raiseLevelWhenDue(): void {
    if (this.#host.version < HIGHEST_LEVEL || this.machine.level >= HIGHEST_LEVEL) return
    const { role, configuration, id } = this.#raft.status()
    if (role !== 'leader') return
    const understands = (peer: number) => peer === id || (this.#versions.get(peer) ?? 1) >= HIGHEST_LEVEL
    if (!isVoter(configuration, id) || !membersOf(configuration).every(understands)) return
    this.propose(encodeCommand({ type: 'level', level: HIGHEST_LEVEL }), () => {})
  }
}

function isRefusal(error: unknown): boolean {
  if (error instanceof NotLeaderError) return true
  const { code } = error as { readonly code?: string }
  return code === 'overloaded' || code === 'message-too-large'
}

/** A snapshot that the log does not lead to has replaced the log. */
function withSnapshot(found: Recovered): StoredState {
  const { snapshot, entries, startIndex, startTerm } = found
  if (snapshot === undefined) return { ...found, isLogSuperseded: false }
  const { index, term } = snapshot.metadata
  const known = index === startIndex ? startTerm : entries[index - startIndex - 1]?.term
  if (known === term) return { ...found, isLogSuperseded: false }
  return { ...found, entries: [], startIndex: index, startTerm: term, commit: index, isLogSuperseded: true }
}
